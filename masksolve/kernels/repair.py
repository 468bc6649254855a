"""Fill the short lines of a tile up to n.

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


@kernel
def fill_lines(scores, n, mask):
    """Fill (t, m, m) masks in place, whose lines hold at most n; return the steps."""
    tiles, m, _ = scores.shape
    rows = np.empty(m, dtype=np.int64)
    columns = np.empty(m, dtype=np.int64)
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
        for _ in range(short):
            best = -np.inf
            add_i, add_j, via_a, via_b = -1, -1, -1, -1
            for i in range(m):
                if rows[i] > 0:
                    for j in range(m):
                        if columns[j] > 0 and not x[i, j] and s[i, j] > best:
                            best = s[i, j]
                            add_i, add_j = i, j
            if add_i >= 0:
                x[add_i, add_j] = True
            else:
                for i in range(m):
                    if rows[i] == 0:
                        continue
                    for j in range(m):
                        if columns[j] == 0:
                            continue
                        for a in range(m):
                            if x[a, j]:
                                continue
                            for b in range(m):
                                if x[a, b] and not x[i, b]:
                                    gain = s[i, b] + s[a, j] - s[a, b]
                                    if gain > best:
                                        best = gain
                                        add_i, add_j, via_a, via_b = i, j, a, b
                x[add_i, via_b] = True
                x[via_a, add_j] = True
                x[via_a, via_b] = False
            rows[add_i] -= 1
            columns[add_j] -= 1
            steps += 1
    return steps
