"""A Markov chain over masks with given line sums: trades between rows.

A trade takes two rows, and deals the columns that only one of them has out anew: as many to
each as before. It is symmetric and reaches every mask from every other (Strona et al. 2014,
"curveball"; Carstens 2015 proves the uniform limit).
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["trade_rows"]


@kernel
def _next(state):
    """Step a splitmix64 generator, (1,) uint64, and return 64 random bits."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def _below(state, size):
    """Draw from 0, ..., size - 1; that size does not divide 2**64 is off by 2**-57 or less."""
    return np.int64(_next(state) % np.uint64(size))


@kernel
def trade_rows(masks, trades, seeds):
    """Do so many trades in each mask, (t, rows, columns) bool, from its own seed, uint64."""
    tiles, rows, columns = masks.shape
    state = np.empty(1, dtype=np.uint64)
    differ = np.empty(columns, dtype=np.int64)
    for t in range(tiles):
        mask = masks[t]
        state[0] = seeds[t]
        for _ in range(trades if rows > 1 else 0):
            a = _below(state, rows)
            b = _below(state, rows - 1)
            if b >= a:
                b += 1
            size = 0
            mine = 0
            for j in range(columns):
                if mask[a, j] != mask[b, j]:
                    differ[size] = j
                    size += 1
                    mine += mask[a, j]
            for k in range(size):  # deal: the first go to row a
                other = k + _below(state, size - k)
                differ[k], differ[other] = differ[other], differ[k]
                mask[a, differ[k]] = k < mine
                mask[b, differ[k]] = k >= mine
