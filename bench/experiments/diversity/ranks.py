"""Rank correlations of a few points, with how far to trust them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["Correlation", "kendall", "spearman"]

Values = NDArray[np.float64]

RESAMPLES = 2000
PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Correlation:
    """A rank correlation, from -1 to 1.

    Attributes
    ----------
    value : float
    low, high : float
        95 % of the values when the draws (seeds, layers) are drawn anew from themselves:
        what the noise of the measurement leaves open, for these very patterns.
    p : float
        Share of random pairings of the points that are as far from 0 or further.
    """

    value: float
    low: float
    high: float
    p: float


def spearman(x: Values, draws: Values) -> Correlation:
    """Correlate the ranks of x with those of the means of draws.

    Parameters
    ----------
    x : array of shape (points,)
    draws : array of shape (points, draws)
        The same draws for every point.
    """
    return _correlate(_centred_ranks, x, draws)


def kendall(x: Values, draws: Values) -> Correlation:
    """Do the same by Kendall's tau-b: pairs in the same order less pairs in the other."""
    return _correlate(_pair_signs, x, draws)


def _centred_ranks(values: Values) -> Values:
    ranks: Values = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    return ranks


def _pair_signs(values: Values) -> Values:
    i, j = np.triu_indices(values.shape[-1], 1)
    signs: Values = np.sign(values[..., i] - values[..., j])
    return signs


def _correlate(features: Callable[[Values], Values], x: Values, draws: Values) -> Correlation:
    """Take the cosine of the angle between two lists of features: both measures are one."""

    def unit(values: Values) -> Values:
        found = features(values)
        length = np.linalg.norm(found, axis=-1, keepdims=True)
        return found / np.where(length, length, 1)  # all equal: correlated with nothing

    rng = np.random.default_rng(0)
    ours, means = unit(x), draws.mean(axis=1)
    value = float(ours @ unit(means))
    again = rng.integers(draws.shape[1], size=(RESAMPLES, draws.shape[1]))
    low, high = np.quantile(unit(draws[:, again].mean(axis=2).T) @ ours, (0.025, 0.975))
    paired = rng.permuted(np.tile(means, (PERMUTATIONS, 1)), axis=1)
    further = np.abs(unit(paired) @ ours) >= abs(value) - 1e-12
    p = (1 + int(further.sum())) / (1 + PERMUTATIONS)
    return Correlation(value, float(low), float(high), p)
