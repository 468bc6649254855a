"""A mask from anywhere against potentials: the certificate's sums, a row at a time.

For every tile of a matrix, with r = s - u_i - v_j,

    gap = sum over kept of max(0, -r) + sum over pruned of max(0, r)
        + sum u_i (n - x_i.) + sum v_j (n - x_.j),

the dual bound less the kept score, in float64. It shares nothing with the solvers, not even
constants: they are here again, by the names that they have there. Rows run through many
tiles, so that the inner loop is long and plain, but not through so many that the sums of
their columns leave the fastest cache.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from masksolve.kernels.jit import entry, kernel, kernel_for

__all__ = ["judge_matrix"]

GUARD = 8.0
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = 2.0**-52
BLOCK = 256
"""Columns that rows run through at a time."""
EXCESS, HELD, SIZES, MOST, ROW_U, ALL_V = range(6)
"""What is kept of a column: its shares of the gap, of the kept score and of its size, the
largest size, the potentials of its row and its own. One array has it all: then the compiler
knows that they do not overlap."""


@kernel
def add_row(scores, flags, take_magnitude, sums, width):
    """Add a row's share to the sums of each column: one plain loop, no branches."""
    for k in range(scores.size):
        s = np.float64(scores[k])
        size = abs(s)
        s = size if take_magnitude else s
        x = flags[k] != 0
        d = s - sums[ROW_U * width + k] - sums[ALL_V * width + k]
        e = -d if x else d
        sums[EXCESS * width + k] += e if e > 0.0 else 0.0
        sums[HELD * width + k] += s if x else 0.0
        if not take_magnitude:
            sums[SIZES * width + k] += size if x else 0.0
        most = abs(sums[MOST * width + k])  # without abs: a write on condition, which is slow
        sums[MOST * width + k] = size if size > most else most


@kernel
def add_lines(potentials, counts, step, n, gaps, lines):
    """Charge lines that do not hold n; count those that hold too many, and too few.

    Potentials and shares of the gap are those of every step-th column.
    """
    wrong = 0
    for k in range(counts.size):
        wrong += counts[k] != n
    if wrong:
        for k in range(counts.size):
            gaps[k * step] += potentials[k * step] * (n - counts[k])
            lines[0] += counts[k] > n
            lines[1] += counts[k] < n


@kernel
def count_above(potentials, limit):
    """Count the potentials that are larger than a limit, either way."""
    above = 0
    for k in range(potentials.size):
        above += abs(potentials[k]) > limit
    return above


@kernel
def add_rounding(u, v, most, m, gaps):
    """Add what potentials far larger than the scores could swallow."""
    for c in range(gaps.size):
        high, side, top = 0.0, 0.0, 0.0
        for k in range(c * m, (c + 1) * m):
            high = max(high, abs(u[k]))
            side = max(side, abs(v[k]))
            top = max(top, most[k])
        if high + side > GUARD * top:
            gaps[c] += EPSILON * m * m * (high + side)


def judge_matrix(
    W: NDArray[Any],
    take_magnitude: bool,
    mask: NDArray[np.int8],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    n: int,
    at_most: bool,
    kept: NDArray[np.float64],
    gap: NDArray[np.float64],
    scale: NDArray[np.float64],
    lines: NDArray[np.int64],
) -> None:
    """Judge (R, C) masks of bytes for scores W; u, v are (t, m) potentials.

    Writes kept scores, gaps and the scale of the tolerance to arrays of t tiles, and to
    lines (2,) how many lines hold too many, and how many too few. Negative potentials
    count as zero for at_most. Rows that do not lie one after the other are copied.
    """
    if at_most:
        u, v = np.maximum(u, 0.0), np.maximum(v, 0.0)
    with _COMPILING:  # threads that ask at the same time must share one result
        judge = _judge(u.shape[1], W.dtype == np.float64)
    W, mask = np.ascontiguousarray(W), np.ascontiguousarray(mask)
    judge(W, take_magnitude, mask, u.reshape(-1), v.reshape(-1), n, kept, gap, scale, lines)


_COMPILING = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not wait for a thread that only its parent has.
    os.register_at_fork(after_in_child=_COMPILING._at_fork_reinit)


@cache
def _judge(m: int, double: bool) -> Any:
    """Compile the judge for a tile's side, so that loops over it are unrolled."""
    tiles = max(1, BLOCK // m)
    width = tiles * m

    @kernel_for(signature(double), m)
    def judge(W, take_magnitude, mask, u, v, n, kept, gap, scale, lines):
        across = W.shape[1] // m
        sums = np.empty(6 * width)
        counts = np.empty(width, np.int8)
        filled = np.empty(tiles, np.int8)
        weights = HELD if take_magnitude else SIZES
        lines[:] = 0
        for r in range(W.shape[0] // m):
            for begin in range(0, across, tiles):
                size = min(tiles, across - begin)
                first, columns = r * across + begin, size * m
                left, place = begin * m, first * m
                for k in range(ROW_U * width):
                    sums[k] = 0.0
                for k in range(columns):
                    sums[ALL_V * width + k] = v[place + k]
                    counts[k] = 0
                for i in range(m):
                    row = mask[r * m + i, left : left + columns]
                    for k in range(columns):
                        counts[k] += row[k]
                    for c in range(size):
                        x = np.int8(0)
                        for j in range(m):
                            x += row[c * m + j]
                        filled[c] = x
                    for c in range(size):
                        for j in range(m):
                            sums[ROW_U * width + c * m + j] = u[place + c * m + i]
                    add_lines(sums[ROW_U * width :], filled[:size], m, n, sums, lines)
                    scores = W[r * m + i, left : left + columns]
                    add_row(scores, row, take_magnitude, sums, width)
                add_lines(sums[ALL_V * width :], counts[:columns], 1, n, sums, lines)
                least = np.inf
                for c in range(size):
                    score, weight, slack, top = 0.0, 0.0, 0.0, 0.0
                    for k in range(c * m, (c + 1) * m):
                        score += sums[HELD * width + k]
                        weight += sums[weights * width + k]
                        slack += sums[EXCESS * width + k]
                        most = sums[MOST * width + k]
                        top = most if most > top else top
                    kept[first + c] = score
                    gap[first + c] = slack
                    scale[first + c] = top if top > weight else weight
                    least = top if top < least else least
                high, side = u[place : place + columns], v[place : place + columns]
                # Seldom is any so large: this looks at all tiles together first.
                if count_above(high, GUARD / 2 * least) + count_above(side, GUARD / 2 * least):
                    most = sums[MOST * width :]
                    add_rounding(high, side, most, m, gap[first : first + size])

    return entry(judge)


def signature(double: bool) -> tuple[Any, ...]:
    """Types of the judge's arguments."""

    def array(dtype: Any, dimensions: int, readonly: bool = False) -> Any:
        return types.Array(dtype, dimensions, "C", readonly)

    scores = array(types.float64 if double else types.float32, 2, readonly=True)
    potentials = array(types.float64, 1, readonly=True)
    out = array(types.float64, 1)
    masks = array(types.int8, 2, readonly=True)
    outputs = (out, out, out, array(types.int64, 1))
    return (scores, types.boolean, masks, potentials, potentials, types.intp, *outputs)
