"""Exchanges of two kept for two free entries, from any mask, while they gain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[Any] | None = None
) -> TileSolution:
    """Improve the start, or the greedy's mask, until no exchange of four entries does.

    Short lines are filled first, those of at-most-n where that gains. For at-most-n
    adding, dropping and moving an entry are exchanges too. An exchange counts as a gain
    if it is more than 2**-49 of the tile's largest score, beyond what rounding could
    feign.

    Rows take turns; each makes its best exchange with any other row as long as it has
    one. Among equal gains the first row, then the first columns, are taken.
    """
    from masksolve.kernels.exchange import exchange_tiles
    from masksolve.kernels.greedy import keep_heaviest
    from masksolve.kernels.repair import fill_lines

    if start is None:
        mask = np.empty(scores.shape, dtype=np.bool_)
        keep_heaviest(scores, n, at_most, mask)
    else:
        mask = start.copy()
    filled = fill_lines(scores, n, at_most, mask)
    return TileSolution(
        mask, counts={"filled": filled, "exchanges": exchange_tiles(scores, n, at_most, mask)}
    )


METHOD = Method(
    name="local_search",
    exact=False,
    guarantee="kept score is at least that of the start once its short lines are filled, and "
    "no exchange of two kept for two free entries raises it",
    reference="local search by the interchanges of Ryser 1957, Combinatorial properties of "
    "matrices of zeros and ones; every mask can be reached by them, not every one uphill",
    solve_tiles=solve_tiles,
    warm="masks",
)
