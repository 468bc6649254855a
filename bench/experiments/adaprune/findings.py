"""What is read from the figures: means over seeds, differences on the same sentences."""

from __future__ import annotations

from statistics import fmean
from typing import Any, Literal, TypedDict

from ..shared import reader as shared
from ..shared.estimates import Estimate
from .sizes import ADAPRUNE, ONE_SHOT, Arm, Method

__all__ = ["Findings", "Reader", "Run"]


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


class Reader(shared.Reader[Run]):
    """Looks things up in findings, by arm.

    Attributes
    ----------
    patterns : list of str
        Transposable ones, by width; each is there plain as well.
    """

    def __init__(self, found: Findings) -> None:
        super().__init__(found, lambda run: (Arm(run["recovery"], run["pattern"], run["method"]),))
        self.patterns = [f"{m // 2}:{m}" for m in found["settings"]["widths"]]

    def mean(self, arm: Arm, what: str) -> Estimate:
        """Return a figure's mean over seeds."""
        return self.estimate(lambda run: run[what], (arm,))

    def less(self, arm: Arm, other: Arm, what: str) -> Estimate:
        """Return a figure less another arm's for the same sentences."""
        return self.estimate(lambda a, b: a[what] - b[what], (arm,), (other,))

    def recovered(self, arm: Arm, what: str = "cosine") -> Estimate:
        """Return the share of what one-shot lost that an arm gives back.

        One-shot of the same pattern and method, for the same sentences.
        """
        return self.avoided(arm, Arm(ONE_SHOT, arm.pattern, arm.method), what)

    def avoided(self, arm: Arm, other: Arm, what: str) -> Estimate:
        """Return by what share an arm's loss is below another's, for the same sentences."""
        return self.estimate(lambda a, b: (a[what] - b[what]) / (1 - b[what]), (arm,), (other,))

    def layers(self, pattern: str, method: Method = "exact") -> dict[str, list[float]]:
        """Return errors of AdaPrune's layers: one-shot, absorbed, fitted; means over seeds."""
        runs = self.runs(Arm(ADAPRUNE, pattern, method))
        return {
            name: [fmean(run["layers"][name][k] for run in runs) for k in range(3)]
            for name in runs[0]["layers"]
        }
