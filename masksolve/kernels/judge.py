"""A mask from anywhere against potentials: the certificate's sums, a row at a time.

For every tile of a matrix, with r = s - u_i - v_j,

    gap = sum over kept of max(0, -r) + sum over pruned of max(0, r)
        + sum u_i (n - x_i.) + sum v_j (n - x_.j),

the dual bound less the kept score, in float64. It shares nothing with the solvers, not even
constants: they are here again, by the names that they have there. Rows run through all tiles
of a tile row, so that the inner loop is long and plain.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["judge_matrix"]

GUARD = 8.0
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = 2.0**-52


@kernel
def add_row(scores, flags, take_magnitude, u, v, excess, held, most, counts):
    """Add a row's share to the sums of each column, (C,): one plain loop, no branches."""
    for k in range(v.size):
        s = np.float64(scores[k])
        size = abs(s)
        s = size if take_magnitude else s
        x = flags[k] != 0
        d = s - u[k] - v[k]
        e = -d if x else d
        excess[k] += e if e > 0.0 else 0.0
        held[k] += s if x else 0.0
        most[k] = size if size > most[k] else most[k]
        counts[k] += 1 if x else 0


@kernel
def judge_matrix(W, take_magnitude, mask, u, v, n, at_most, kept, gap, scale, lines):
    """Judge (R, C) masks of bytes for scores W; u, v are (t, m) potentials.

    Writes kept scores, gaps and the scale of the tolerance to arrays of t tiles, and to
    lines (2,) how many lines hold too many, and how many too few. Negative potentials
    count as zero for at_most.
    """
    m = u.shape[1]
    across = W.shape[1] // m
    width = across * m
    floor = 0.0 if at_most else -np.inf
    row_u = np.empty(width)  # of the tile that an entry of the row is in
    all_v = np.empty(width)
    excess = np.empty(width)
    held = np.empty(width)
    sizes = np.empty(width)
    most = np.empty(width)
    counts = np.empty(width, dtype=np.int32)
    lines[0] = 0
    lines[1] = 0
    for r in range(W.shape[0] // m):
        first = r * across
        for c in range(across):
            for j in range(m):
                all_v[c * m + j] = max(v[first + c, j], floor)
            gap[first + c] = 0.0
        for k in range(width):
            excess[k] = 0.0
            held[k] = 0.0
            sizes[k] = 0.0
            most[k] = 0.0
            counts[k] = 0
        for i in range(m):
            row = r * m + i
            for c in range(across):
                u_i = max(u[first + c, i], floor)
                filled = 0
                for j in range(m):
                    row_u[c * m + j] = u_i
                    filled += mask[row, c * m + j]
                gap[first + c] += u_i * (n - filled)
                lines[0] += filled > n
                lines[1] += filled < n
            add_row(W[row], mask[row], take_magnitude, row_u, all_v, excess, held, most, counts)
            if not take_magnitude:
                for k in range(width):
                    sizes[k] += abs(W[row, k]) if mask[row, k] else 0.0
        for c in range(across):
            t = first + c
            score, slack, weight, top, high, side = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(m):
                k = c * m + j
                score += held[k]
                slack += excess[k] + all_v[k] * (n - counts[k])
                weight += held[k] if take_magnitude else sizes[k]
                top = max(top, most[k])
                high = max(high, abs(max(u[t, j], floor)))
                side = max(side, abs(all_v[k]))
                lines[0] += counts[k] > n
                lines[1] += counts[k] < n
            # What potentials far larger than the scores could swallow.
            if high + side > GUARD * top:
                slack += EPSILON * m * m * (high + side)
            kept[t] = score
            gap[t] += slack
            scale[t] = max(weight, top)
