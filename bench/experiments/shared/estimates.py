"""Means over seeds, with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

__all__ = ["Estimate", "estimate", "half_interval"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and half its 95 % interval by Student's t.

    Attributes
    ----------
    mean, half : float
        NaN if unknown: half an interval takes two seeds.
    seeds : int
    """

    mean: float
    half: float
    seeds: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not isnan(self.half) and abs(self.mean) > self.half

    def write(self, scale: float = 1.0, places: int = 2, *, sign: bool = False) -> str:
        """Write "+1.23 ± 0.45"."""
        if isnan(self.mean):
            return "-"
        mean = f"{scale * self.mean:{'+' if sign else ''}.{places}f}"
        return mean if isnan(self.half) else f"{mean} ± {scale * self.half:.{places}f}"


def estimate(values: Iterable[float]) -> Estimate:
    """Estimate a mean from one independent value a seed."""
    found = np.fromiter(values, dtype=np.float64)
    if not len(found):
        return Estimate(nan, nan, 0)
    return Estimate(float(found.mean()), float(half_interval(found)), len(found))


def half_interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the 95 % interval of means over seeds, the first axis; NaN of a single seed."""
    seeds = len(values)
    if seeds < 2:
        return np.full(values.shape[1:], nan)
    half: NDArray[np.float64] = (
        student.ppf((1 + CONFIDENCE) / 2, seeds - 1) * values.std(axis=0, ddof=1) / seeds**0.5
    )
    return half
