"""Plain N:M in SIMD: the n-th largest of sixteen lines at a time, and what is above it.

A line is m entries of a run of lines; lines beside each other are either adjacent in memory
(rows) or one entry apart (columns), and only what reads and writes sixteen of them
knows the difference. Thresholds are advice: a mask is made by comparing every entry with its
line's threshold, and proven by how many it holds.
"""

from __future__ import annotations

import os
import threading
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types

from masksolve.kernels.jit import callback, kernel, kernel_for
from masksolve.kernels.lines import at_least, load_lines, load_score, nth_largest, store_lines
from masksolve.kernels.simd import (
    LANES,
    bits_from_mask,
    call_int,
    if_then_else,
    load,
    max_,
    ones_from_mask,
    pointer,
    promote,
    set_,
    store,
)
from masksolve.limits import LARGEST_SCORE

__all__ = ["line_solver", "line_space"]

DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
ALL = (1 << LANES) - 1


class Space(NamedTuple):
    """Scratch: sixteen lines and their masks, and the last few of a run, padded with zeros."""

    entries: Any
    flags: Any
    rest: Any
    rest_flags: Any
    rest_u: Any
    total: Any


def selector_type(double: bool) -> Any:
    entries = types.CPointer(types.float64 if double else types.float32)
    source = (entries, types.intp, types.intp, types.intp, types.intp)
    target = (BYTES, types.intp, DOUBLES, types.intp)
    return types.intp(*source, *target, DOUBLES, entries, BYTES)


@kernel
def settle_ties(scores, flags, t, n, m, take_magnitude):
    """Mask what is above t, and of what equals it the first for which there is room.

    Scores and flags are given with the places of a line's first entry, and the steps from
    there on. Returns how many each of 16 lines holds, and their kept scores.
    """
    lines, first, step = scores
    mask, out, mask_step = flags
    zero = t - t
    full = set_(np.int8(n))
    held = ones_from_mask(zero > zero)
    for j in range(m):
        s = load_score(lines, first + j * step, take_magnitude)
        held = held + ones_from_mask(s > t)
    kept = promote(zero)
    for j in range(m):
        s = load_score(lines, first + j * step, take_magnitude)
        x = (s > t) | (at_least(s, t) & (held < full))
        store(mask, out + j * mask_step, ones_from_mask(x))
        held = held + ones_from_mask(x & at_least(t, s))
        kept = kept + promote(if_then_else(x, s, zero))
    return held, kept


@cache
def selector(n: int, m: int, double: bool, columns: bool) -> int:
    """Compile the selection of n in lines of m."""
    kind: Any = np.float64 if double else np.float32
    zero, least = kind(0), np.finfo(kind).smallest_subnormal
    limit = kind(LARGEST_SCORE if double else np.finfo(kind).max)
    adjacent = not columns

    @callback(selector_type(double), n, m, int(double), int(columns))
    def select(W, step, groups, magnitude, at_most, mask, mask_step, u, want_u, total, E, X):
        """Solve 16 lines at a time; return 0 if all are proven.

        Lines are adjacent, or one entry apart with entries `step` apart (in the mask,
        `mask_step`). Adds kept scores to total, which becomes NaN if a score is not finite;
        u, one number a line, is written if wanted.

        A line's mask is what is above its n-th largest, t, and of what equals it as many as
        there is room for, the first first. So every kept entry is >= t and every pruned one
        <= t, and t proves the mask if it holds n; for at-most-n 0 does if it holds fewer and
        nothing positive is left. There t is at least the smallest positive number.
        """
        take = magnitude != 0
        again = take and columns  # lines in scratch have lost their signs
        none = set_(zero) > set_(zero)
        full = set_(np.int8(n))
        smallest = set_(least)
        kept = load(total, 0)
        unproven = 0
        for g in range(groups):
            if adjacent:
                first, out = 0, 0
                load_lines(W, g * m * LANES, take, E, m)
                lines, flags, step, mask_step = E, X, LANES, LANES
            else:
                first = out = g * LANES
                lines, flags = W, mask
            t = nth_largest(lines, first, step, again, set_(limit), n, m)
            if at_most:
                t = max_(smallest, t)
            held = ones_from_mask(none)
            score = promote(set_(zero))
            for j in range(m):
                s = load_score(lines, first + j * step, again)
                x = at_least(s, t)
                one = ones_from_mask(x)
                store(flags, out + j * mask_step, one)
                held = held + one
                score = score + promote(if_then_else(x, s, set_(zero)))
            proven = held == full
            if at_most:
                proven = proven | ((held < full) & at_least(smallest, t))
            if bits_from_mask(proven) != ALL:
                place = (lines, first, step), (flags, out, mask_step)
                held, score = settle_ties(*place, t, n, m, again)
                proven = held == full
                if at_most:
                    proven = proven | ((held < full) & at_least(smallest, t))
                unproven |= ALL ^ bits_from_mask(proven)
            kept = kept + score + promote(t - t)
            if want_u:
                t = if_then_else(held == full, t, set_(zero))
                store(u, g * LANES, promote(t))
            if adjacent:
                store_lines(X, mask, g * m * LANES, m)
        store(total, 0, kept)
        return unproven

    return select


def solve_lines(address, columns, W, take_magnitude, at_most, mask, u, w):
    """Solve all lines; return the kept score, NaN if one is not finite, and whether all is proven.

    W (runs, lines, m) float32 or float64 and mask, int8, of that shape; u (runs, lines)
    float64, or no runs if it is not asked for. Lines are one entry apart if `columns`, else
    adjacent, and address is that of the `selector` for it.
    """
    runs, lines, m = W.shape
    run_step, step = W.strides[0] // W.itemsize, W.strides[2] // W.itemsize
    mask_step = mask.strides[2]
    how = (1 if take_magnitude else 0, 1 if at_most else 0)
    want_u = 1 if u.shape[0] > 0 else 0
    groups = lines // LANES
    done = groups * LANES
    E, X, total = pointer(w.entries, 0), pointer(w.flags, 0), pointer(w.total, 0)
    # The rest of a run lies in its scratch as it would in a matrix of sixteen lines.
    across, down = (1, LANES) if columns else (m, 1)
    source, target = pointer(w.rest, 0), pointer(w.rest_flags, 0)
    rest_u = pointer(w.rest_u, 0)
    store(total, 0, set_(0.0))
    unproven = 0
    for r in range(runs):
        start, out = pointer(W, r * run_step), pointer(mask, r * mask.strides[0])
        at = pointer(u, r * lines * want_u)
        unproven |= call_int(
            address, (start, step, groups, *how, out, mask_step, at, want_u, total, E, X)
        )
        if done == lines:
            continue
        for t in range(lines - done):
            for j in range(m):
                w.rest[t * across + j * down] = W[r, done + t, j]
        unproven |= call_int(
            address, (source, down, 1, *how, target, down, rest_u, want_u, total, E, X)
        )
        for t in range(lines - done):
            for j in range(m):
                mask[r, done + t, j] = w.rest_flags[t * across + j * down]
            if want_u:
                u[r, done + t] = w.rest_u[t]
    kept = 0.0
    for t in range(LANES):
        kept += w.total[t]
    return kept, unproven == 0


def line_solver(n: int, m: int, double: bool, columns: bool) -> Any:
    """Compile what the pattern needs, once; numba caches it on disk.

    Returns `solve_lines` with its address filled in.
    """
    with _COMPILING:  # threads that ask at the same time must share one result
        return partial(_compiled(double), selector(n, m, double, columns), columns)


def line_space(m: int, double: bool) -> Space:
    """Allocate scratch for lines of m."""
    dtype = np.float64 if double else np.float32
    entries = m * LANES
    return Space(
        np.empty(entries, dtype=dtype),
        np.empty(entries, dtype=np.int8),
        np.zeros(entries, dtype=dtype),
        np.empty(entries, dtype=np.int8),
        np.empty(LANES),
        np.empty(LANES),
    )


_COMPILING = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not wait for a thread that only its parent has.
    os.register_at_fork(after_in_child=_COMPILING._at_fork_reinit)


@cache
def _compiled(double: bool) -> Any:
    return kernel_for(signature(double))(solve_lines)


def signature(double: bool) -> tuple[Any, ...]:
    """Types of `solve_lines`'s arguments, so that layouts do not multiply the compilation."""
    entry = types.float64 if double else types.float32
    return (
        types.intp,
        types.boolean,
        types.Array(entry, 3, "A", readonly=True),
        types.boolean,
        types.boolean,
        types.Array(types.int8, 3, "A"),
        types.Array(types.float64, 2, "C"),
        typeof(line_space(1, double)),
    )
