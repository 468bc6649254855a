"""Runs by what they are of and by seed, and estimates over seeds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from .estimates import Estimate, estimate

__all__ = ["Runs"]

RunT = TypeVar("RunT")


class Runs(Generic[RunT]):
    """An experiment's runs; whatever they are compared by is the key of an arm.

    Parameters
    ----------
    runs : iterable
        Mappings, each with its "seed".
    key : callable
        Tells of which arm a run is.
    """

    def __init__(self, runs: Iterable[RunT], key: Callable[[RunT], Hashable]) -> None:
        self._runs: dict[Hashable, dict[int, RunT]] = {}
        for run in runs:
            self._runs.setdefault(key(run), {})[run["seed"]] = run  # type: ignore[index]

    def __contains__(self, arm: Hashable) -> bool:
        return arm in self._runs

    def of(self, arm: Hashable) -> dict[int, RunT]:
        """Return an arm's runs by seed, rising; none if it was not run."""
        return dict(sorted(self._runs.get(arm, {}).items()))

    def estimate(self, value: Callable[..., float], *arms: Hashable) -> Estimate:
        """Estimate the mean over seeds of what is worked out from runs of the same seed.

        Parameters
        ----------
        value : callable
            Takes a run of each arm. The seeds are the independent draws.
        *arms : hashable
            Only seeds count that all of them were run with.
        """
        found = [self.of(arm) for arm in arms]
        seeds = [seed for seed in found[0] if all(seed in runs for runs in found)]
        return estimate(value(*(runs[seed] for runs in found)) for seed in seeds)
