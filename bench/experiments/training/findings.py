"""What the experiment found, and what is read from it: means, paired differences."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..shared import reader as shared
from ..shared.estimates import Estimate
from .questions import Pairs

__all__ = ["MEASURES", "Findings", "Reader", "Run"]


class Run(TypedDict):
    """What a run leaves; lists have a value for every look, the last at the end."""

    task: str
    arm: str
    seed: int
    loss: list[float]  # held out, nats
    accuracy: list[float]  # held out, share
    flips: list[float]  # share of the masks' entries that flip in a renewal, mean
    moved: list[float]  # share of them that differ from `WINDOW` steps before
    kept: list[float]  # share of the body's sum of |w| that masks keep, last renewal
    density: float  # share of the body's weights that are kept at the end
    seconds: float


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    size: str
    tasks: list[dict[str, Any]]  # settings, as in `Task`
    runs: list[Run]


Curves = NDArray[np.float64]


MEASURES: dict[str, Callable[[Run], float]] = {
    "loss": lambda run: run["loss"][-1],
    "accuracy": lambda run: run["accuracy"][-1],
    "kept": lambda run: run["kept"][-1] if run["kept"] else 1.0,
    "density": lambda run: run["density"],
    "flips": lambda run: fmean(run["flips"] or [0.0]),
    "moved": lambda run: fmean(run["moved"] or [0.0]),
}
"""One number a run."""


class Reader(shared.Reader[Run]):
    """Looks things up in findings, by task and arm."""

    def __init__(self, found: Findings) -> None:
        super().__init__(found, lambda run: (run["task"], run["arm"]))
        self.tasks = [task["name"] for task in found["tasks"]]
        self.arms = list(dict.fromkeys(run["arm"] for run in found["runs"]))

    def mean(self, task: str, arm: str, measure: str) -> Estimate:
        """Estimate a measure."""
        return self.estimate(MEASURES[measure], (task, arm))

    def difference(self, task: str, pairs: Pairs, measure: str) -> Estimate:
        """Estimate the mean difference of pairs of arms that share their seed.

        The seeds are the independent draws: each contributes the mean over all pairs, and
        only those count that every arm was run with.
        """

        def less(*runs: Run) -> float:
            values = [MEASURES[measure](run) for run in runs]
            return fmean(np.subtract(values[::2], values[1::2]).tolist())

        return self.estimate(less, *((task, arm) for pair in pairs for arm in pair))

    def settings(self, task: str) -> dict[str, Any]:
        """Return a task's settings."""
        return next(one for one in self.found["tasks"] if one["name"] == task)

    def curve(self, task: str, arm: str, name: str) -> Curves:
        """Return a curve of all seeds: (seeds, windows)."""
        return np.array([run[name] for run in self.runs(task, arm)])  # type: ignore[literal-required]
