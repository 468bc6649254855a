"""Rows first, then columns within what the rows keep; lines may end short."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[Any] | None = None
) -> TileSolution:
    """Keep the n heaviest of each row, and of these the n heaviest of each column.

    The earlier entry of a line is preferred among equals. At-most-n keeps positive
    scores only. No line gets more than n, and many columns, then rows, get fewer.
    """
    from masksolve.kernels.ranks import select_both

    mask = np.empty(scores.shape, dtype=np.bool_)
    select_both(scores, n, at_most, mask)
    return TileSolution(mask)


METHOD = Method(
    name="bi_nm",
    exact=False,
    guarantee="kept score is at least n/m of the plain N:M optimum, hence of the transposable "
    "one, for scores >= 0; lines may end short",
    reference="the backward mask of Bi-Mask, Zhang et al. 2023, arXiv:2302.06058, without its "
    "permutation of rows; the baseline Bi-NM of Meng et al. 2025, arXiv:2505.23949",
    solve_tiles=solve_tiles,
)
