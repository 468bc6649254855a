"""Heaviest first: fast, at least half of the at-most-n optimum, lines may end short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[np.float64] | None = None
) -> TileSolution:
    """Keep entries from heavy to light while both their lines have room.

    Equal scores go in row-major order. A line ends short when every entry it still
    could take lies in a full line; such a tile is UNDERFILLED for an exactly-n
    pattern. For at-most-n only positive scores are kept.
    """
    from masksolve.kernels.greedy import keep_heaviest

    mask = np.empty(scores.shape, dtype=np.bool_)
    keep_heaviest(scores, n, at_most, mask)
    return TileSolution(mask)


METHOD = Method(
    name="greedy",
    exact=False,
    guarantee="kept score is at least 1/2 of the at-most-n optimum for scores >= 0; "
    "lines may end short",
    reference="greedy b-matching; the reference code of Hubara et al. 2021, arXiv:2102.08124",
    solve_tiles=solve_tiles,
)
