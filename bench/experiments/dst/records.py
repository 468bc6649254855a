"""What a run leaves, and what the whole experiment does: the file's contents."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Cut", "Findings", "Run"]


class Cut(TypedDict):
    """Masks by thresholds, cut to N:M after training."""

    accuracy: float
    remaining: float
    stored: float | None


class Run(TypedDict):
    """What a run leaves; lists have a value for every look."""

    task: str
    arm: str
    seed: int
    accuracy: list[float]  # held out, share
    remaining: list[float]  # of all masked weights; empty if dense
    layers: dict[str, list[float]]  # the same of each matrix
    thresholds: dict[str, list[float]]  # mean, of each weight
    patterns: dict[str, list[int]]  # N, of each weight
    stored: float | None  # share of weights that N:M has room for, at the end
    back: float  # share of what is kept at the end that was pruned after an earlier epoch
    resets: int  # of matrices, by the reset rule
    cuts: dict[str, Cut]  # by M
    milliseconds: float  # of processor time a step


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    size: str
    seeds: int
    tasks: list[dict[str, Any]]  # settings, as in `Task.settings`
    runs: list[Run]
