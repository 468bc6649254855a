"""Findings that can be asked: runs by what they are of and by seed, estimates over seeds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeAlias, TypeVar

from .estimates import Estimate, estimate

__all__ = ["Reader"]

RunT = TypeVar("RunT")
Arm: TypeAlias = tuple[Hashable, ...]


class Reader(Generic[RunT]):
    """Looks things up in findings.

    What runs of different seeds have in common, a task or a way to do it, is called their arm.

    Parameters
    ----------
    found : mapping
        Findings, with their "runs", each with its "seed".
    arm : callable
        Tells of which arm a run is, by what `runs` is to be asked for it.

    Attributes
    ----------
    found : mapping
    """

    def __init__(self, found: Any, arm: Callable[[RunT], Arm]) -> None:
        self.found = found
        self._runs: dict[Arm, dict[int, RunT]] = {}
        for run in found["runs"]:
            self._runs.setdefault(arm(run), {})[run["seed"]] = run

    def has(self, *arm: Hashable) -> bool:
        """Tell whether an arm was run."""
        return arm in self._runs

    def runs(self, *arm: Hashable) -> list[RunT]:
        """Return an arm's runs by seed; none if it was not run."""
        return [run for _, run in sorted(self._runs.get(arm, {}).items())]

    def estimate(self, value: Callable[..., float], *arms: Arm) -> Estimate:
        """Estimate the mean over seeds of what is worked out from runs of the same seed.

        Parameters
        ----------
        value : callable
            Takes a run of each arm. The seeds are the independent draws.
        *arms : tuple
            Only seeds count that all of them were run with.
        """
        found = [self._runs.get(arm, {}) for arm in arms]
        seeds = sorted(set.intersection(*map(set, found)))
        return estimate(value(*(runs[seed] for runs in found)) for seed in seeds)
