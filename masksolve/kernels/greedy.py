"""One pass over a tile's entries in order of score.

`keep_heaviest`: from heavy to light, keep an entry while its row and its column both
have room. `prune_lightest`: from light to heavy, prune an entry while its row or its
column still lacks prunes. Both visit equal scores in row-major order, first the
earlier when keeping, first the later when pruning, so that the earlier is preferred.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["keep_heaviest", "prune_lightest"]


@kernel
def keep_heaviest(scores, n, at_most, mask):
    """Greedy from above: scores (t, m, m) float64, mask (t, m, m) bool is written."""
    tiles, m, _ = scores.shape
    rows = np.empty(m, dtype=np.int64)
    columns = np.empty(m, dtype=np.int64)
    for t in range(tiles):
        s = scores[t]
        rows[:] = n
        columns[:] = n
        mask[t] = False
        for k in np.argsort(-s.ravel(), kind="mergesort"):
            i, j = divmod(k, m)
            if at_most and s[i, j] <= 0.0:
                break
            if rows[i] > 0 and columns[j] > 0:
                mask[t, i, j] = True
                rows[i] -= 1
                columns[j] -= 1


@kernel
def prune_lightest(scores, n, mask):
    """Greedy from below: scores (t, m, m) float64, mask (t, m, m) bool is written."""
    tiles, m, _ = scores.shape
    rows = np.empty(m, dtype=np.int64)
    columns = np.empty(m, dtype=np.int64)
    for t in range(tiles):
        rows[:] = m - n
        columns[:] = m - n
        mask[t] = True
        for k in np.argsort(-scores[t].ravel(), kind="mergesort")[::-1]:
            i, j = divmod(k, m)
            if rows[i] > 0 or columns[j] > 0:
                mask[t, i, j] = False
                rows[i] -= 1
                columns[j] -= 1
