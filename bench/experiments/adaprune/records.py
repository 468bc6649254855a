"""What a run leaves, and what the whole experiment does: the file's contents."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

__all__ = ["Findings", "Run"]


class Run(TypedDict):
    """An encoder pruned by an arm, and its embeddings of held-out sentences."""

    recovery: str
    pattern: str
    method: Literal["exact", "greedy"]
    seed: int
    cosine: float  # mean over sentences, of the dense and the pruned encoder's embedding
    lowest: float  # the cosine that 5 % of the sentences stay below
    spearman: float  # mean over sentences, of the others ranked by similarity to it
    nearest: float  # share of the 10 nearest that stay among them, mean over sentences
    kept: float  # share of weights
    magnitude: float  # share of the weights' magnitude that masks keep
    layers: dict[str, list[float]]  # errors on calibration: one-shot, absorbed, fitted
    seconds: float  # of processor time, to prune


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    seeds: int
    modules: int
    sentences: int  # in all
    tokens: list[int]  # that calibrate, of each seed
    weights: int  # that masks are on
    runs: list[Run]
