"""What a run leaves, and what the whole experiment does: the file's contents."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Findings", "LayerErrors", "Point", "Run"]


class LayerErrors(TypedDict):
    """A layer's relative error, once drawn: as it may be and as it is."""

    name: str
    published: float | None  # with the published delta
    proven: float | None
    certified: float
    measured: float
    held_out: float


class Point(TypedDict):
    """A network pruned to a budget."""

    budget: float
    share: list[float]  # of the parameters, of each draw
    wrong: list[float]  # held out, of each draw
    output: list[float]  # relative error of the output's norm, of each draw
    tuned: float  # held out, the first draw trained on
    kept: list[int]  # filters, of each group, of the first draw
    layers: list[list[LayerErrors]]  # of each draw


class Run(TypedDict):
    """What a sampler made of a network."""

    seed: int
    sampler: str
    dense: float  # held out, share that is wrong before
    trained_on: float  # the same after as much tuning as pruned networks get
    filters: list[int]  # of each group
    makers: list[list[str]]
    sensitivities: list[float]  # their sum in each group
    points: list[Point]


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    seeds: int
    parameters: int
    runs: list[Run]
