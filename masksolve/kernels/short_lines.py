"""What the lines of masks hold."""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["count_short"]


@kernel
def count_short(mask, n):
    """Count the tiles of (t, h, w) bool with a row, or for h > 1 a column, of fewer than n."""
    tiles, h, w = mask.shape
    columns = np.empty(w, dtype=np.int64)
    short = 0
    for t in range(tiles):
        columns[:] = 0
        least = w
        for i in range(h):
            row = 0
            for j in range(w):
                kept = 1 if mask[t, i, j] else 0
                row += kept
                columns[j] += kept
            least = min(least, row)
        if h > 1:
            for j in range(w):
                least = min(least, columns[j])
        short += least < n
    return short
