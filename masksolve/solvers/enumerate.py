"""Every valid tile, scored one against the other: the plainest oracle, m <= 4."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles", "valid_tiles"]

PRODUCTS_AT_ONCE = 1 << 20


@cache
def valid_tiles(n: int, m: int, at_most: bool) -> NDArray[np.bool_]:
    """List all m x m masks whose lines hold n (or at most n).

    Parameters
    ----------
    n, m : int
        ``1 <= n <= m <= 4``.
    at_most : bool

    Returns
    -------
    ndarray of bool, shape (count, m, m)
        In the order of the masks read as binary numbers, the first entry lowest.

    Examples
    --------
    >>> len(valid_tiles(2, 4, False)), len(valid_tiles(1, 2, True))
    (90, 7)
    """
    numbers = np.arange(1 << (m * m))
    masks = (numbers[:, None] >> np.arange(m * m) & 1).astype(np.bool_).reshape(-1, m, m)
    sums = np.concatenate([masks.sum(axis=1), masks.sum(axis=2)], axis=1)
    valid = ((sums <= n) if at_most else (sums == n)).all(axis=1)
    found: NDArray[np.bool_] = masks[valid]
    found.setflags(write=False)
    return found


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[np.float64] | None = None
) -> TileSolution:
    """Take the best of all valid masks, the first of the list among equals."""
    tiles, m, _ = scores.shape
    masks = valid_tiles(n, m, at_most)
    columns = masks.reshape(len(masks), m * m).T.astype(np.float64)
    best = np.empty(tiles, dtype=np.int64)
    step = max(1, PRODUCTS_AT_ONCE // len(masks))
    for first in range(0, tiles, step):
        part = scores[first : first + step].reshape(-1, m * m)
        best[first : first + step] = (part @ columns).argmax(axis=1)
    return TileSolution(masks[best], loss_bound=np.zeros(tiles))


METHOD = Method(
    name="enumerate",
    exact=True,
    guarantee="kept score is the optimum: every valid mask is compared",
    reference="exhaustion; for 2:4 the 90 patterns of Hu et al. 2024, arXiv:2404.01847",
    solve_tiles=solve_tiles,
    max_m=4,
)
