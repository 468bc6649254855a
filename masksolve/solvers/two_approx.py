"""Lightest first: prunes at most twice the optimal pruned score, lines may end short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[np.float64] | None = None
) -> TileSolution:
    """Prune entries from light to heavy while either of their lines lacks prunes.

    Equal scores go in reverse row-major order. What is left is what belongs to the
    n heaviest of its row and of its column; many lines end short, and the tile is
    then UNDERFILLED for an exactly-n pattern. It is the same rule for at-most-n.
    """
    from masksolve.kernels.greedy import prune_lightest

    mask = np.empty(scores.shape, dtype=np.bool_)
    prune_lightest(scores, n, mask)
    return TileSolution(mask)


METHOD = Method(
    name="two_approx",
    exact=False,
    guarantee="pruned score is at most 2 times the exactly-n optimum's for scores >= 0; "
    "lines may end short",
    reference="the 2-approximation of Hubara et al. 2021, arXiv:2102.08124",
    solve_tiles=solve_tiles,
)
