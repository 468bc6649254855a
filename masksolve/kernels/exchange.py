"""Local search: two kept entries for two free ones, while that gains.

For rows a, b and columns j, k with a_k, b_j kept and a_j, b_k free, keeping a_j, b_k
instead leaves all sums as they are. The two columns can be chosen one by one, so the
best exchange of a pair of rows gains D[a, b] + D[b, a] with

    D[a, b] = max over j, b_j kept and a_j free, of s[a, j] - s[b, j].

For at most n the tile gets one more row and column of zero scores, which hold what
lines lack: dropping an entry, adding one and moving one along its line are exchanges
with them.

Row by row takes the best exchange with any other row, until no row has one. A row that
has none waits for nothing until it is exchanged with: what its pairs gain depends on the
two rows alone. It ends: an exchange must gain more than its own rounding, so the exact
score rises each time.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, bits_from_mask, load, max_, set_, store

__all__ = ["exchange_tiles"]

ROUNDING = 2.0**-49
"""Share of the largest score by which a gain of four scores may be wrong, at most."""


@kernel
def set_changes(gain, loss, counts, s, rows, columns, width):
    """Set what it gains to add an entry and what it loses to take it away."""
    m = s.shape[0]
    for i in rows:
        for j in columns:
            k = j * width + i
            if i == m or j == m:
                gain[k] = 0.0
                loss[k] = 0.0 if counts[i, j] > 0 else np.inf
            elif counts[i, j] > 0:
                gain[k] = -np.inf
                loss[k] = s[i, j]
            else:
                gain[k] = s[i, j]
                loss[k] = np.inf


@kernel
def begin(s, x, n, at_most, counts, gain, loss, width):
    """Lay out a tile, rows along the lanes; the lanes beyond them never gain."""
    m = s.shape[0]
    side = m + 1 if at_most else m
    gain[:] = -np.inf
    loss[:] = np.inf
    for i in range(m):
        for j in range(m):
            counts[i, j] = x[i, j]
    if at_most:
        counts[:m, m] = n
        counts[m, :] = n
        counts[m, m] = 0
        for i in range(m):
            for j in range(m):
                if x[i, j]:
                    counts[i, m] -= 1
                    counts[m, j] -= 1
                    counts[m, m] += 1
    set_changes(gain, loss, counts, s, range(side), range(side), width)


@kernel
def best_partner(gain, loss, a, side, width, least, found):
    """Return the row whose best exchange with row a gains most, more than least; or -1."""
    partner = -1
    for block in range(0, width, LANES):
        one = other = set_(-np.inf)
        for j in range(side):
            k = j * width
            one = max_(one, set_(gain[k + a]) - load(loss, k + block))
            other = max_(other, load(gain, k + block) - set_(loss[k + a]))
        both = one + other
        if bits_from_mask(both > set_(least)):
            store(found, 0, both)
            for b in range(LANES):
                if found[b] > least:
                    least = found[b]
                    partner = block + b
    return partner


@kernel
def best_column(gain, loss, a, b, side, width):
    """Return the column at which row a gains most by an entry that row b gives up."""
    best, where = -np.inf, -1
    for j in range(side):
        value = gain[j * width + a] - loss[j * width + b]
        if value > best:
            best, where = value, j
    return where


@kernel
def exchange_tiles(scores, n, at_most, mask):
    """Improve (t, m, m) masks in place until no exchange does; return how many it took.

    Rows take turns in order; among equal gains the first row, then the first columns,
    are taken.
    """
    tiles, m, _ = scores.shape
    side = m + 1 if at_most else m
    width = (side + LANES - 1) // LANES * LANES
    counts = np.empty((side, side), dtype=np.int64)
    gain, loss = np.empty(side * width), np.empty(side * width)
    found = np.empty(LANES)
    waiting = np.empty(side, dtype=np.bool_)
    total = 0
    for t in range(tiles):
        s = scores[t]
        begin(s, mask[t], n, at_most, counts, gain, loss, width)
        least = ROUNDING * np.abs(s).max()
        waiting[:] = True
        a = quiet = 0
        while quiet < side:
            if waiting[a]:
                b = best_partner(gain, loss, a, side, width, least, found)
                if b >= 0:
                    waiting[b] = True
                    quiet = 0
                    total += 1
                    j = best_column(gain, loss, a, b, side, width)
                    k = best_column(gain, loss, b, a, side, width)
                    counts[a, j] += 1
                    counts[b, j] -= 1
                    counts[b, k] += 1
                    counts[a, k] -= 1
                    set_changes(gain, loss, counts, s, (a, b), (j, k), width)
                    continue
                waiting[a] = False
            quiet += 1
            a = (a + 1) % side
        for i in range(m):
            for j in range(m):
                mask[t, i, j] = counts[i, j] > 0
    return total
