"""Each row's n largest entries: plain N:M, and where transposable solvers start.

A row keeps a sorted list of its best n so far; an entry that does not beat the last
of them costs one comparison. Afterwards u_i is the smallest value kept (0 where the
row has room left), so that kept entries are >= u_i and the others <= u_i.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["select_lines", "select_rows"]


@kernel
def select_rows(s, n, at_most, v, u, x, top, where):
    """Give each row its n largest s_ij - v_j, the lower column first among equals.

    With at_most only positive values count. Writes u and x; top and where are
    scratch of n entries.
    """
    for i in range(s.shape[0]):
        count = 0
        for j in range(s.shape[1]):
            x[i, j] = False
            value = s[i, j] - v[j]
            if at_most and value <= 0.0:
                continue
            if count == n:
                if value <= top[n - 1]:
                    continue
                k = n - 1
            else:
                k = count
                count += 1
            while k > 0 and top[k - 1] < value:
                top[k] = top[k - 1]
                where[k] = where[k - 1]
                k -= 1
            top[k] = value
            where[k] = j
        for k in range(count):
            x[i, where[k]] = True
        u[i] = top[n - 1] if count == n else 0.0


@kernel
def select_lines(lines, n, at_most, mask, u):
    """Solve plain N:M: lines (t, m) float64; mask (t, m) and u (t,) are written."""
    top = np.empty(n)
    where = np.empty(n, dtype=np.int64)
    select_rows(lines, n, at_most, np.zeros(lines.shape[1]), u, mask, top, where)
