"""What is read from the figures: means over seeds, paired differences, kept promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import nan
from statistics import fmean
from typing import Any, TypedDict

import numpy as np

from ..shared import reader as shared
from ..shared.estimates import Estimate
from .sizes import SAMPLERS

__all__ = ["Findings", "LayerErrors", "Point", "Promise", "Reader", "Run"]


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


ROUNDING = 1e-3
"""Figures in the file have four digits."""


@dataclass(frozen=True)
class Promise:
    """How often layers that lost inputs kept within a bound, and how closely.

    Attributes
    ----------
    trials, within : int
        Layers, times networks, budgets and draws.
    closest, usual : float
        Measured error over bound: the largest, and the median.
    """

    trials: int
    within: int
    closest: float
    usual: float

    @property
    def share(self) -> float:
        """The share of trials within the bound."""
        return self.within / self.trials if self.trials else nan


class Reader(shared.Reader[Run]):
    """Looks things up in findings, by sampler."""

    def __init__(self, found: Findings) -> None:
        super().__init__(found, lambda run: (run["sampler"],))
        self.budgets: list[float] = found["settings"]["budgets"]

    def points(self, sampler: str, budget: float) -> list[Point]:
        """Return what a sampler made of every network at a budget."""
        where = self.budgets.index(budget)
        return [run["points"][where] for run in self.runs(sampler)]

    def dense(self, what: str = "dense") -> Estimate:
        """Return the dense networks' error: as they are, or "trained_on"."""
        return self.estimate(lambda run: run[what], (SAMPLERS[0],))

    def _value(self, budget: float, what: str) -> Callable[[Run], float]:
        """Return what finds a figure of a run: a mean over draws where there are several."""
        where = self.budgets.index(budget)

        def value(run: Run) -> float:
            found: Any = run["points"][where][what]  # type: ignore[literal-required]
            return fmean(found) if isinstance(found, list) else float(found)

        return value

    def mean(self, sampler: str, budget: float, what: str) -> Estimate:
        """Return a figure's mean over seeds."""
        return self.estimate(self._value(budget, what), (sampler,))

    def less(self, sampler: str, other: str, budget: float, what: str) -> Estimate:
        """Return a figure less another sampler's on the same network."""
        value = self._value(budget, what)
        return self.estimate(lambda a, b: value(a) - value(b), (sampler,), (other,))

    def layers(self, samplers: Iterable[str] = SAMPLERS) -> Iterator[LayerErrors]:
        """Go through the layers of all draws."""
        for sampler in samplers:
            for run in self.runs(sampler):
                for point in run["points"]:
                    for draw in point["layers"]:
                        yield from draw

    def promise(self, bound: str, measured: str, samplers: Iterable[str] = SAMPLERS) -> Promise:
        """Hold measured errors against a bound, wherever there is one."""
        pairs = np.array(
            [
                (layer[measured], layer[bound])  # type: ignore[literal-required]
                for layer in self.layers(samplers)
                if layer[bound]  # type: ignore[literal-required]
            ]
        )
        if not len(pairs):
            return Promise(0, 0, nan, nan)
        ratios = pairs[:, 0] / pairs[:, 1]
        within = int((ratios <= 1 + ROUNDING).sum())
        return Promise(len(pairs), within, float(ratios.max()), float(np.median(ratios)))

    def crossing(self, sampler: str, what: str, points: float) -> float:
        """Return the least budget from which on the error is at most so much above dense.

        Means over seeds; 1 if no budget is good enough.
        """
        dense = self.dense("trained_on" if what == "tuned" else "dense").mean
        falling = sorted(self.budgets, reverse=True)
        good = [self.mean(sampler, b, what).mean <= dense + points for b in falling]
        if not good[0]:
            return 1.0
        last = next(
            (a for a, (_, ok) in zip(falling, pairwise(good), strict=False) if not ok), None
        )
        return falling[-1] if last is None else last
