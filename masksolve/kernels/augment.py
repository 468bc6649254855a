"""Successive shortest augmenting paths, one tile at a time, in float64.

State: a mask x, potentials u (rows) and v (columns), reduced scores
r_ij = s_ij - u_i - v_j, with

    x_ij = 1  =>  r_ij >= 0        and        x_ij = 0  =>  r_ij <= 0.

Given any v, taking each row's n largest s_ij - v_j establishes this with every row
full. What is wrong is only the columns: some hold too many, some too few. Each round
runs Dijkstra over the lines, with the non-negative lengths

    column j -> row i      r_ij    (row i gives column j up,    x_ij = 1)
    row i    -> column j  -r_ij    (row i takes column j,       x_ij = 0),

from all over-full columns to the nearest column with room, shifts the potentials by
the distances, which keeps the conditions, and flips the path. The total excess falls
by one each time, so it ends; then x is optimal and (u, v) prove it.

"At most n" is the same with one more row and column of zero scores, potentials fixed
at 0 and room without end, never stored: a row may drop an entry at the cost u_i, and
a column that is short though v_j > 0 (only possible from a warm start) is filled or
its potential brought down to 0, by paths that start at the extra row (each column at
distance v_j) or at rows with room (at distance 0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.jit import kernel
from masksolve.kernels.select import select_rows

__all__ = ["Search", "augment_tile", "augment_tiles", "search_space"]

SOURCE = -1
EXTRA_ROW = -2


class Search(NamedTuple):
    """Scratch for a tile of side m."""

    integers: NDArray[np.int64]  # (5, m): what lines hold, whence they are reached; for rows
    floats: NDArray[np.float64]  # (3, m): how far lines are; for `select_rows`
    done: NDArray[np.bool_]  # (2 m,): rows, then columns


def search_space(m: int) -> Search:
    """Allocate it."""
    integers, floats = np.empty((5, m), dtype=np.int64), np.empty((3, m))
    return Search(integers, floats, np.empty(2 * m, dtype=np.bool_))


@kernel
def augment_tile(s, n, at_most, x, u, v, search):
    """Repair the columns of one tile; return the number of augmenting paths.

    s (m, m) float64; x (m, m) bool, whose rows are full, and potentials u, v (m,) float64,
    which fit it, are updated.
    """
    m = s.shape[0]
    lines, dist, done = search.integers, search.floats, search.done
    row_count, col_count, row_from, col_from = lines[0], lines[1], lines[2], lines[3]
    row_dist, col_dist = dist[0], dist[1]
    for i in range(m):
        row_count[i] = 0
        col_count[i] = 0
    for i in range(m):
        for j in range(m):
            if x[i, j]:
                row_count[i] += 1
                col_count[j] += 1

    paths = 0
    while True:
        excess = False
        for j in range(m):
            row_dist[j] = np.inf
            col_dist[j] = np.inf
            done[j] = False
            done[m + j] = False
            if col_count[j] > n:
                excess = True
                col_dist[j] = 0.0
                col_from[j] = SOURCE
        if not excess:
            # Only "at most n" can be left with anything to do: short columns with v > 0.
            short = False
            if at_most:
                for j in range(m):
                    short |= col_count[j] < n and v[j] > 0.0
            if not short:
                return paths
            for j in range(m):
                col_dist[j] = v[j]
                col_from[j] = EXTRA_ROW
                if row_count[j] < n:
                    row_dist[j] = 0.0
                    row_from[j] = SOURCE

        length = np.inf
        end_row = -1
        end_col = -1
        while True:
            near = length
            node = -1
            for k in range(m):
                if not done[k] and row_dist[k] < near:
                    near = row_dist[k]
                    node = k
                if not done[m + k] and col_dist[k] < near:
                    near = col_dist[k]
                    node = m + k
            if node < 0:
                break
            done[node] = True
            if node >= m:
                j = node - m
                if col_count[j] < n and (excess or v[j] > 0.0):
                    length = near
                    end_col = j
                    end_row = -1
                    break
                for i in range(m):
                    if x[i, j]:
                        d = near + max(0.0, s[i, j] - u[i] - v[j])
                        if d < row_dist[i]:
                            row_dist[i] = d
                            row_from[i] = j
            else:
                i = node
                if at_most and excess and near + u[i] < length:
                    length = near + u[i]
                    end_row = i
                    end_col = -1
                for j in range(m):
                    if not x[i, j]:
                        d = near + max(0.0, u[i] + v[j] - s[i, j])
                        if d < col_dist[j]:
                            col_dist[j] = d
                            col_from[j] = i

        for k in range(m):
            if excess:
                if row_dist[k] < length:
                    u[k] -= length - row_dist[k]
                if col_dist[k] < length:
                    v[k] += length - col_dist[k]
            else:
                u[k] += min(row_dist[k], length)
                v[k] -= min(col_dist[k], length)

        if end_row >= 0:
            u[end_row] = 0.0  # exactly, now that the row has room
            row_count[end_row] -= 1
            j = row_from[end_row]
            x[end_row, j] = False
        else:
            col_count[end_col] += 1
            j = end_col
        while True:
            i = col_from[j]
            if i < 0:
                col_count[j] -= 1
                break
            x[i, j] = True
            if row_from[i] < 0:
                row_count[i] += 1
                break
            j = row_from[i]
            x[i, j] = False
        paths += 1


@kernel
def augment_tiles(scores, n, at_most, mask, u, v, search):
    """Solve every tile to optimality; return the number of augmenting paths.

    scores (t, m, m) float64; mask (t, m, m) bool and u (t, m) are written; v (t, m)
    holds the starting column potentials (for at_most not negative) and is updated.
    """
    paths = 0
    for t in range(scores.shape[0]):
        s, x = scores[t], mask[t]
        select_rows(s, n, at_most, v[t], u[t], x, search.floats[2], search.integers[4])
        paths += augment_tile(s, n, at_most, x, u[t], v[t], search)
    return paths
