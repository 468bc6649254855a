"""A mask from anywhere against potentials: the certificate's sums, sixteen columns at a time.

For every tile of a matrix, with r = s - u_i - v_j,

    gap = sum over kept of max(0, -r) + sum over pruned of max(0, r)
        + sum u_i (n - x_i.) + sum v_j (n - x_.j),

the dual bound less the kept score, in float64. It shares nothing with the solvers but vectors,
not even constants: they are here again, by the names that they have there. The sums of columns
come first, from the tile's first row to its last, then those of tiles, from their first column
to their last.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types
from numpy.typing import NDArray

from masksolve.kernels.jit import entry, kernel, kernel_for
from masksolve.kernels.kept_counts import BLOCK, WORDS, charge_columns, charge_rows, count_kept
from masksolve.kernels.simd import abs_, max_abs, pointer, prefetch, promote, store
from masksolve.kernels.simd_widths import (
    gather_index,
    if_negative,
    load_half,
    set_fours,
    set_half,
    signs_from_ones,
    xor_,
    zero_if_negative,
)
from masksolve.kernels.vectors import HALF, LANES

__all__ = ["judge_matrix"]

GUARD = 8.0
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = 2.0**-52
AHEAD = 4 * HALF
"""Columns that are asked for before their turn."""
EXCESS, HELD, SIZES, MOST, SHORT, NUMBERS = (BLOCK * k for k in range(6))
"""Where sums are in one flat array: each column's shares of the gap, of the kept score and of its
size, its largest size, and what the rows of each tile leave."""


@kernel
def add_entries(s, signs, row_u, all_v, excess, held):
    """Add eight entries' shares of the gap and of the kept score to those of their columns."""
    d = xor_(s - row_u - all_v, signs)
    return excess + zero_if_negative(d), held + if_negative(signs, s, set_half(0.0))


@kernel
def add_columns(rows, columns, u, size, m, magnitude, sums):
    """Add up the columns of a tile row, eight at a time.

    A lane's potential of the row is that of its tile, as far from the first tile's as its index
    says: the same for four lanes in a row if four divides m.
    """
    w, x, corner, stride = rows
    v, indices, to = columns
    for k in range(0, size, HALF):
        all_v, place = load_half(v, k), corner + k
        excess = held = sizes = set_half(0.0)
        most = load_half(w, place)
        if magnitude and m % 4 == 0:  # as it is nearly always: the rest would slow it down
            a, b = indices[k], indices[k + 4]
            for i in range(m):
                entries, signs = load_half(w, place), signs_from_ones(load_half(x, place))
                row_u, s = set_fours(u[a + i], u[b + i]), abs_(promote(entries))
                excess, held = add_entries(s, signs, row_u, all_v, excess, held)
                most = max_abs(most, entries)
                prefetch(w, place + AHEAD)
                place += stride
        else:
            for i in range(m):
                entries, signs = load_half(w, place), signs_from_ones(load_half(x, place))
                row_u, s = gather_index(u, i, indices, k), promote(entries)
                size_ = abs_(s)
                if magnitude:
                    s = size_
                excess, held = add_entries(s, signs, row_u, all_v, excess, held)
                sizes = sizes + if_negative(signs, size_, set_half(0.0))
                most = max_abs(most, entries)
                prefetch(w, place + AHEAD)
                place += stride
        store(sums, EXCESS + to + k, excess)
        store(sums, HELD + to + k, held)
        if not magnitude:
            store(sums, SIZES + to + k, sizes)
        store(sums, MOST + to + k, abs_(promote(most)))


@kernel
def add_up(sums, first, tiles, m, magnitude, kept, gap, scale):
    """Add up the sums of each tile's columns, one after the other; return the least scale."""
    least = np.inf
    for c in range(tiles):
        score, slack, top = 0.0, 0.0, 0.0
        for k in range(c * m, c * m + m):
            score += sums[HELD + k]
            slack += sums[EXCESS + k]
            top = max(top, sums[MOST + k])
        size = score
        if not magnitude:
            size = 0.0
            for k in range(c * m, c * m + m):
                size += sums[SIZES + k]
        kept[first + c] = score
        gap[first + c] = slack
        scale[first + c] = max(size, top)
        least = min(least, top)
    return least


@kernel
def add_rounding(u, v, first, tiles, m, least, sums, gap):
    """Add what potentials far larger than the scores could swallow; NaN prove nothing."""
    above = 0  # seldom is any so large: all are looked at together first
    most = GUARD / 2 * least
    for k in range(first * m, (first + tiles) * m):
        above += (not abs(u[k]) <= most) | (not abs(v[k]) <= most)
    if above == 0:
        return
    for c in range(tiles):
        high, side, top = 0.0, 0.0, 0.0
        for k in range(c * m, c * m + m):
            high = max(high, abs(u[first * m + k]))
            side = max(side, abs(v[first * m + k]))
            top = max(top, sums[MOST + k])
            if np.isnan(u[first * m + k] + v[first * m + k]):
                gap[first + c] = np.nan
        if high + side > GUARD * top:
            gap[first + c] += EPSILON * m * m * (high + side)


class Space(NamedTuple):
    """Scratch of one call; the last columns of a tile row are copied to where eight have room."""

    sums: Any
    counts: Any
    words: Any
    indices: Any
    end_scores: Any
    end_flags: Any
    end_v: Any
    end_indices: Any


@cache
def _first_columns(m: int) -> NDArray[np.intp]:
    """Where the tile of each column begins."""
    return np.arange(BLOCK) // m * m


def space_for(m: int, dtype: Any) -> Space:
    """Allocate the scratch of a call."""
    return Space(
        np.empty(NUMBERS),
        np.zeros(BLOCK, dtype=np.int8),
        np.zeros(m * WORDS + 1, dtype=np.int64),
        _first_columns(m),
        np.empty(m * HALF, dtype=dtype),
        np.empty(m * HALF, dtype=np.int8),
        np.empty(HALF),
        np.empty(HALF, dtype=np.int64),
    )


@kernel
def copy_end(rows, columns, size, m, end_rows, end_columns):
    """Copy the last columns of a tile row, and the last one once more where there are none."""
    w, x, corner, stride = rows
    v, indices, to = columns
    scores, flags, _, _ = end_rows
    potentials, positions, _ = end_columns
    for k in range(HALF):
        from_ = to + min(k, size - 1)
        potentials[k] = v[from_]
        positions[k] = indices[from_]
        for i in range(m):
            scores[i * HALF + k] = w[corner + i * stride + from_]
            flags[i * HALF + k] = x[corner + i * stride + from_] if k < size else 0


def judge(W, magnitude, mask, u, v, n, m, stride, kept, gap, scale, lines, space):
    """Do as `judge_matrix`, for flat arrays."""
    w, x, us, vs = pointer(W, 0), pointer(mask, 0), pointer(u, 0), pointer(v, 0)
    sums, counts, words = pointer(space.sums, 0), pointer(space.counts, 0), pointer(space.words, 0)
    short = pointer(space.sums, SHORT)
    indices, wrong = pointer(space.indices, 0), pointer(lines, 0)
    scores, gaps, scales = pointer(kept, 0), pointer(gap, 0), pointer(scale, 0)
    zero, eight, four = np.intp(0), np.intp(HALF), np.intp(4)  # not literals: of one type
    end_rows = pointer(space.end_scores, 0), pointer(space.end_flags, 0), zero, eight
    end_v, end_indices = pointer(space.end_v, 0), pointer(space.end_indices, 0)
    across, width = stride // m, BLOCK // (LANES * m) * LANES
    wrong[0] = wrong[1] = 0
    for r in range(W.size // stride // m):
        for begin in range(0, across, width):
            tiles = min(width, across - begin)
            first, size, corner = r * across + begin, tiles * m, r * m * stride + begin * m
            own, whole = first * m, size // HALF * HALF
            own_u, own_v = pointer(u, own), pointer(v, own)
            rows, columns = (w, x, corner, stride), (own_v, indices, zero)
            count_kept(x, corner, stride, size, m, counts, words)
            add_columns(rows, columns, own_u, whole, m, magnitude, sums)
            if whole < size:
                rows, columns = (w, x, corner, stride), (own_v, indices, whole)
                end_columns = end_v, end_indices, whole
                copy_end(rows, columns, size - whole, m, end_rows, end_columns)
                add_columns(end_rows, end_columns, own_u, eight, m, magnitude, sums)
            charge_rows(words, tiles, own_u, n, m, short, wrong)
            charge_columns(counts, own_v, size, n, sums, wrong)
            if m == 4:  # known to have so many turns, its loop is twice as fast
                least = add_up(sums, first, tiles, four, magnitude, scores, gaps, scales)
            else:
                least = add_up(sums, first, tiles, m, magnitude, scores, gaps, scales)
            add_rounding(us, vs, first, tiles, m, least, sums, gaps)
            for c in range(tiles):
                gaps[first + c] += sums[SHORT + c]


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
        run = _compiled(W.dtype == np.float64)
    m, stride = u.shape[1], W.shape[1]
    flat = W.reshape(-1), take_magnitude, mask.reshape(-1), u.reshape(-1), v.reshape(-1)
    run(*flat, n, m, stride, kept, gap, scale, lines, space_for(m, W.dtype))


_COMPILING = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not wait for a thread that only its parent has.
    os.register_at_fork(after_in_child=_COMPILING._at_fork_reinit)


@cache
def _compiled(double: bool) -> Any:
    return entry(kernel_for(signature(double))(judge))


def signature(double: bool) -> tuple[Any, ...]:
    """Types of `judge`'s arguments."""

    def array(dtype: Any, readonly: bool = False) -> Any:
        return types.Array(dtype, 1, "C", readonly)

    scores = array(types.float64 if double else types.float32, readonly=True)
    potentials, out = array(types.float64, readonly=True), array(types.float64)
    given = (scores, types.boolean, array(types.int8, readonly=True), potentials, potentials)
    numbers = (types.intp,) * 3
    space = typeof(space_for(4, np.float64 if double else np.float32))
    return (*given, *numbers, out, out, out, array(types.intp), space)
