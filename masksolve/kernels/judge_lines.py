"""A plain mask from anywhere against potentials: the certificate's sums, some lines at a time.

For every line, with r = s - u,

    gap = sum over kept of max(0, -r) + sum over pruned of max(0, r) + u (n - x),

x of them kept: the dual bound less the kept score, in float64. Like `judge` it shares nothing
with the solvers, not even constants. Lines are turned first, so that the inner loops go
from line to line, long and plain.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["judge_lines"]

GUARD = 8.0
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = 2.0**-52
BLOCK = 256
"""Lines at a time: their scores and sums stay in the cache."""


@kernel
def add_entries(s, x, u, excess, held, weight, most, counts):
    """Add an entry of every line to the line's sums: one plain loop, no branches."""
    for k in range(s.size):
        size = abs(s[k])
        d = s[k] - u[k]
        e = -d if x[k] > 0.0 else d
        excess[k] += e if e > 0.0 else 0.0
        held[k] += x[k] * s[k]
        weight[k] += x[k] * size
        most[k] = size if size > most[k] else most[k]
        counts[k] += x[k]


@kernel
def judge_lines(W, take_magnitude, mask, u, n, at_most, kept, gap, scale, lines):
    """Judge masks of bytes for scores W, both (runs, lines, m); u (runs, lines) potentials.

    Writes kept scores, gaps and the scale of the tolerance to arrays (runs, lines), and to
    lines (2,) how many lines hold too many, and how many too few. Negative potentials
    count as zero for at_most.
    """
    runs, across, m = W.shape
    floor = 0.0 if at_most else -np.inf
    s, x = np.empty((m, BLOCK)), np.empty((m, BLOCK))
    u_block, excess, held, weight, most, counts = np.empty((6, BLOCK))
    lines[0] = 0
    lines[1] = 0
    for r in range(runs):
        for first in range(0, across, BLOCK):
            size = min(BLOCK, across - first)
            for k in range(size):
                u_block[k] = max(u[r, first + k], floor)
                for j in range(m):
                    value = np.float64(W[r, first + k, j])
                    s[j, k] = abs(value) if take_magnitude else value
                    x[j, k] = 1.0 if mask[r, first + k, j] else 0.0
            for sums in (excess, held, weight, most, counts):
                sums[:size] = 0.0
            for j in range(m):
                add_entries(s[j, :size], x[j, :size], u_block, excess, held, weight, most, counts)
            for k in range(size):
                potential, top = u_block[k], most[k]
                slack = excess[k] + potential * (n - counts[k])
                # What potentials far larger than the scores could swallow.
                if abs(potential) > GUARD * top:
                    slack += EPSILON * m * abs(potential)
                kept[r, first + k] = held[k]
                gap[r, first + k] = slack
                scale[r, first + k] = max(weight[k], top)
                lines[0] += counts[k] > n
                lines[1] += counts[k] < n
