"""Fill the short lines of a tile up to n; for at most n, while that gains.

While some row and some column are short: take the heaviest free entry at which a
short row meets a short column; where there is none, the best exchange. For a short
row i and a short column j that is to add (i, b) and (a, j) and to give (a, b) up.

Such an exchange exists whenever no direct addition does: were every kept entry of the
rows without j outside the columns without i, those rows would hold at most n - 2 (they
lack j, and i has at most n - 1 columns, j among them), so they would be short, and
likewise the columns: a direct addition. Each step fills one row and one column, so it
ends with every line full.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["fill_lines"]

ROUNDING = 2.0**-49
"""Share of the largest score by which a gain of three scores may be wrong, at most."""


@kernel
def best_exchange(s, x, rows, columns, at_most, least, found):
    """Write to found the best i, j, a, b that gains more than least, i = -1 for none.

    For a row a the best short column j is the same whatever i and b are.
    """
    m = len(rows)
    found[0] = -1
    best = least
    for a in range(m):
        added, column = -np.inf, -1
        for j in range(m):
            if columns[j] > 0 and not x[a, j] and s[a, j] > added:
                added, column = s[a, j], j
        if column < 0 or (at_most and added <= 0.0):
            continue
        for i in range(m):
            if rows[i] == 0:
                continue
            for b in range(m):
                if not x[a, b] or x[i, b] or (at_most and s[i, b] <= 0.0):
                    continue
                gain = s[i, b] + added - s[a, b]
                if gain > best:
                    best = gain
                    found[0], found[1], found[2], found[3] = i, column, a, b


@kernel
def fill_lines(scores, n, at_most, mask):
    """Fill (t, m, m) masks in place, whose lines hold at most n; return the steps.

    At most n: only with positive scores, and only where that gains more than rounding
    can feign.
    """
    tiles, m, _ = scores.shape
    rows = np.empty(m, dtype=np.int64)
    columns = np.empty(m, dtype=np.int64)
    found = np.empty(4, dtype=np.int64)
    steps = 0
    for t in range(tiles):
        s = scores[t]
        x = mask[t]
        short = m * n
        rows[:] = n
        columns[:] = n
        for i in range(m):
            for j in range(m):
                if x[i, j]:
                    rows[i] -= 1
                    columns[j] -= 1
                    short -= 1
        least = -np.inf
        if at_most and short > 0:
            least = ROUNDING * np.abs(s).max()
        for _ in range(short):
            best = least
            found[0] = -1
            for i in range(m):
                if rows[i] > 0:
                    for j in range(m):
                        if columns[j] > 0 and not x[i, j] and s[i, j] > best:
                            best = s[i, j]
                            found[0], found[1] = i, j
            if found[0] >= 0:
                x[found[0], found[1]] = True
            else:
                best_exchange(s, x, rows, columns, at_most, least, found)
                if found[0] < 0:
                    break
                x[found[0], found[3]] = True
                x[found[2], found[1]] = True
                x[found[2], found[3]] = False
            rows[found[0]] -= 1
            columns[found[1]] -= 1
            steps += 1
    return steps
