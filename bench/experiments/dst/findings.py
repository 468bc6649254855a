"""What the experiment found, and what is read from it: means, paired differences, ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import log, nan
from typing import Any, TypedDict

import numpy as np
from scipy.stats import spearmanr

from ..shared import reader as shared
from ..shared.estimates import Estimate

__all__ = ["MEASURES", "Cut", "Findings", "Reader", "Run"]


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


MEASURES: dict[str, Callable[[Run], float]] = {
    "accuracy": lambda run: run["accuracy"][-1],
    "remaining": lambda run: run["remaining"][-1] if run["remaining"] else 1.0,
    "stored": lambda run: nan if run["stored"] is None else run["stored"],
    "back": lambda run: run["back"],
    "resets": lambda run: float(run["resets"]),
    "milliseconds": lambda run: run["milliseconds"],
}
"""One number a run, at its end."""


class Reader(shared.Reader[Run]):
    """Looks things up in findings, by task and arm."""

    def __init__(self, found: Findings) -> None:
        super().__init__(found, lambda run: (run["task"], run["arm"]))
        self.tasks: dict[str, dict[str, Any]] = {task["name"]: task for task in found["tasks"]}

    def arms(self, task: str) -> list[str]:
        """Return the labels of a task's arms."""
        labels: list[str] = self.tasks[task]["arms"]
        return labels

    def swept(self, task: str) -> dict[float, str]:
        """Return the labels of the sweep over alpha, all else as published, by alpha."""
        plain = [label for label in self.arms(task) if label.startswith("alpha ")]
        return {float(label[6:]): label for label in plain if "," not in label}

    def mean(self, task: str, arm: str, measure: str) -> Estimate:
        """Estimate a measure."""
        return self.estimate(MEASURES[measure], (task, arm))

    def less_dense(self, task: str, arm: str, m: str | None = None) -> Estimate:
        """Estimate the accuracy less that of dense networks of the same seeds.

        With `m`, that of the masks cut to N:m after training.
        """

        def less(run: Run, dense: Run) -> float:
            ours = run["accuracy"][-1] if m is None else run["cuts"][m]["accuracy"]
            return ours - dense["accuracy"][-1]

        return self.estimate(less, (task, arm), (task, "dense"))

    def less(self, task: str, arm: str, other: str) -> Estimate:
        """Estimate an arm's accuracy less another's of the same seeds."""
        accuracy = MEASURES["accuracy"]
        return self.estimate(
            lambda ours, theirs: accuracy(ours) - accuracy(theirs), (task, arm), (task, other)
        )

    def nearest(self, task: str, arm: str, others: Iterable[str]) -> str:
        """Return which of some arms keeps the share that is nearest to an arm's."""
        share = self.mean(task, arm, "remaining").mean
        return min(others, key=lambda o: abs(log(self.mean(task, o, "remaining").mean / share)))

    def cut(self, task: str, arm: str, m: str, name: str) -> Estimate:
        """Estimate a figure of the masks cut to N:m after training."""
        return self.estimate(lambda run: run["cuts"][m][name], (task, arm))

    def curve(self, task: str, arm: str, kind: str, name: str | None = None) -> Any:
        """Return the mean over seeds of a curve, of one matrix or weight if it has a name."""
        runs = self.runs(task, arm)
        return np.mean([run[kind][name] if name else run[kind] for run in runs], axis=0)  # type: ignore[literal-required]

    def ranks(self, task: str) -> float:
        """Correlate alpha with the remaining share, by Spearman's ranks over all runs."""
        swept = self.swept(task)
        points = [
            (alpha, MEASURES["remaining"](run))
            for alpha, label in swept.items()
            for run in self.runs(task, label)
        ]
        return float(spearmanr(*zip(*points, strict=True)).statistic)

    def sparsest(self, task: str, points: float = 1.0) -> str | None:
        """Return the arm of the sweep that keeps least within so many points of dense."""
        good = [
            label
            for label in self.swept(task).values()
            if self.less_dense(task, label).mean >= -points / 100
        ]
        key = {label: self.mean(task, label, "remaining").mean for label in good}
        return min(good, key=key.__getitem__) if good else None
