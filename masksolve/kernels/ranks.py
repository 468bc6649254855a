"""Rows' n largest entries, then columns' n largest of these, sixteen tiles at a time.

An entry's rank is how many of its line come before it: the larger ones and, among
equals, the earlier ones. One comparison a pair of entries settles both their ranks.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, if_then_else, load, ones_from_mask, set_, store

__all__ = ["select_both"]


@kernel
def drop_rest(S, start, step, ranks, n, m):
    """Set all but the n largest of m entries, start + step k, to minus infinity."""
    none = set_(np.int8(0))
    one = set_(np.int8(1))
    for k in range(m):
        store(ranks, k * LANES, none)
    for k in range(m):
        value = load(S, start + k * step)
        rank = load(ranks, k * LANES)
        for j in range(k + 1, m):
            above = load(S, start + j * step) > value
            rank = rank + ones_from_mask(above)
            store(ranks, j * LANES, load(ranks, j * LANES) + if_then_else(above, none, one))
        store(ranks, k * LANES, rank)
    for k in range(m):
        place = start + k * step
        kept = load(ranks, k * LANES) < set_(np.int8(n))
        store(S, place, if_then_else(kept, load(S, place), set_(-np.inf)))


@kernel
def select_both(scores, n, at_most, mask):
    """Select in (t, m, m) scores, which are finite; at_most keeps positive ones only."""
    tiles, m, _ = scores.shape
    S = np.empty(m * m * LANES)
    ranks = np.empty(m * LANES, dtype=np.int8)
    least = 0.0 if at_most else -np.inf
    for first in range(0, tiles, LANES):
        size = min(LANES, tiles - first)
        for t in range(LANES):
            s = scores[first + min(t, size - 1)]
            for i in range(m):
                for j in range(m):
                    S[(i * m + j) * LANES + t] = s[i, j]
        for i in range(m):
            drop_rest(S, i * m * LANES, LANES, ranks, n, m)
        for j in range(m):
            drop_rest(S, j * LANES, m * LANES, ranks, n, m)
        for t in range(size):
            for i in range(m):
                for j in range(m):
                    mask[first + t, i, j] = S[(i * m + j) * LANES + t] > least
