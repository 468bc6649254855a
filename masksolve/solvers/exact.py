"""Proven optima of any tile: shortest augmenting paths with potentials."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64],
    n: int,
    at_most: bool,
    start: NDArray[np.float64] | None = None,
) -> TileSolution:
    """Find an optimal mask of each tile, and potentials that prove it.

    Among masks of equal score the choice follows from the order of the search: each
    row prefers the lower column, each augmentation the nearest path, of equally near
    ones the first found. It depends on the tile alone (and on `start`).
    """
    # numba takes longer to import than all else together: only when solving.
    from masksolve.kernels.augment import augment_tiles
    from masksolve.kernels.select import select_lines

    tiles, h, w = scores.shape
    mask = np.empty(scores.shape, dtype=np.bool_)
    u = np.empty((tiles, h))
    v = np.zeros((tiles, w))
    if h == 1:  # plain N:M: every line for itself
        select_lines(scores[:, 0], n, at_most, mask[:, 0], u[:, 0])
        return TileSolution(mask, u, v)
    if start is not None:
        v[...] = np.maximum(start, 0.0) if at_most else start
    paths = augment_tiles(scores, n, at_most, mask, u, v)
    return TileSolution(mask, u, v, counts={"augmentations": paths})


METHOD = Method(
    name="exact",
    exact=True,
    guarantee="kept score is the optimum, proven by a dual bound for every tile",
    reference="successive shortest paths (Edmonds & Karp 1972) for the b-matching of "
    "Hubara et al. 2021, arXiv:2102.08124",
    solve_tiles=solve_tiles,
    plain=True,
    warm=True,
)
