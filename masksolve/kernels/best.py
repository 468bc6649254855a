"""The best of a list of masks for each tile, sixteen tiles at a time.

Scores are added up in the order of a mask's entries, lane by lane, so that the choice
for a tile does not depend on its neighbours, nor on anybody's matrix product.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, if_then_else, load, max_, set_, store

__all__ = ["pick_best"]


@kernel
def pick_best(scores, entries, at_most, best):
    """Write which of the (k, kept) lists of flat positions scores most, the first of equals.

    Scores are (t, m, m); with at_most negative ones count as zero.
    """
    tiles, m, _ = scores.shape
    masks, kept = entries.shape
    S = np.empty(m * m * LANES)
    found = np.empty(LANES)
    for first in range(0, tiles, LANES):
        count = min(LANES, tiles - first)
        for t in range(LANES):
            s = scores[first + min(t, count - 1)]
            for i in range(m):
                for j in range(m):
                    value = s[i, j]
                    S[(i * m + j) * LANES + t] = max(value, 0.0) if at_most else value
        top = set_(-np.inf)
        which = set_(0.0)
        for k in range(masks):
            one = other = set_(0.0)  # two sums at a time: additions wait for each other
            for e in range(0, kept - 1, 2):
                one = one + load(S, entries[k, e] * LANES)
                other = other + load(S, entries[k, e + 1] * LANES)
            if kept % 2:
                one = one + load(S, entries[k, kept - 1] * LANES)
            total = one + other
            which = if_then_else(total > top, set_(1.0 * k), which)
            top = max_(total, top)
        store(found, 0, which)
        for t in range(count):
            best[first + t] = int(found[t])
