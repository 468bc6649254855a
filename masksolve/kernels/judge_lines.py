"""A plain mask from anywhere against potentials: the certificate's sums, some lines at a time.

For every line, with r = s - u,

    gap = sum over kept of max(0, -r) + sum over pruned of max(0, r) + u (n - x),

x of them kept: the dual bound less the kept score, in float64. Like `judge` it shares nothing
with the solvers, not even constants. The inner loop goes from line to line, so that it is long
and plain.
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


EXCESS, HELD, WEIGHT, MOST, COUNT, POTENTIAL, SCORE, FLAG = (BLOCK * k for k in range(8))
"""Where they are in one flat array: of several, compilers must fear that they overlap."""


@kernel
def add_entries(scores, flags, take_magnitude, sums):
    """Add an entry of every line to the line's sums: plain loops, no branches."""
    for k in range(scores.size):
        sums[SCORE + k] = scores[k]
        sums[FLAG + k] = flags[k]
    for k in range(BLOCK):  # however many there are: a fixed number is what vectors are made of
        s, x = sums[SCORE + k], sums[FLAG + k]
        size = abs(s)
        s = size if take_magnitude else s
        e = (s - sums[POTENTIAL + k]) * (1.0 - 2.0 * x)
        sums[EXCESS + k] += e if e > 0.0 else 0.0
        sums[HELD + k] += x * s
        sums[WEIGHT + k] += x * size
        sums[MOST + k] = max(sums[MOST + k], size)
        sums[COUNT + k] += x


@kernel
def judge_lines(W, take_magnitude, mask, u, n, at_most, kept, gap, scale, lines):
    """Judge masks of bytes for scores W, both (runs, lines, m); u (runs, lines) potentials.

    Writes kept scores, gaps and the scale of the tolerance to arrays (runs, lines), and to
    lines (2,) how many lines hold too many, and how many too few. Negative potentials
    count as zero for at_most.
    """
    runs, across, m = W.shape
    floor = 0.0 if at_most else -np.inf
    sums = np.zeros(8 * BLOCK)
    lines[0] = 0
    lines[1] = 0
    for r in range(runs):
        for first in range(0, across, BLOCK):
            size = min(BLOCK, across - first)
            block = slice(first, first + size)
            sums[:POTENTIAL] = 0.0
            for k in range(size):
                sums[POTENTIAL + k] = max(u[r, first + k], floor)
            for j in range(m):
                add_entries(W[r, block, j], mask[r, block, j], take_magnitude, sums)
            for k in range(size):
                potential, top, count = sums[POTENTIAL + k], sums[MOST + k], sums[COUNT + k]
                slack = sums[EXCESS + k] + potential * (n - count)
                # What potentials far larger than the scores could swallow.
                if abs(potential) > GUARD * top:
                    slack += EPSILON * m * abs(potential)
                kept[r, first + k] = sums[HELD + k]
                gap[r, first + k] = slack
                scale[r, first + k] = max(sums[WEIGHT + k], top)
                lines[0] += count > n
                lines[1] += count < n
