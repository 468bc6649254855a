"""What is compiled for each pattern: rounds, certificate, reading and writing rows.

Everything else takes n and m as it runs. These few functions have them built in, and
the engine calls them by their addresses, so that a new pattern compiles in a second.
"""

from __future__ import annotations

from functools import cache
from math import frexp, ldexp
from typing import Any

import numpy as np
from numba import types

from masksolve.kernels.jit import callback
from masksolve.kernels.lanes import GUARD, TOLERANCE
from masksolve.kernels.middle_pair import middle_pair
from masksolve.kernels.simd import (
    LANES,
    abs_,
    bits_from_mask,
    demote,
    if_then_else,
    load,
    max_,
    min_,
    ones_from_mask,
    promote,
    set_,
    store,
)
from masksolve.kernels.tile_lanes import load_tiles, store_tiles

__all__ = [
    "certifier",
    "loader",
    "potential_loader",
    "potential_storer",
    "prover",
    "row_setter",
    "storer",
]

SINGLES = types.CPointer(types.float32)
DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
CLIP = 3.0
"""Narrow steps have room for so many times the mean of the row whose mean is largest; what is
larger is cut off."""
GRID_BITS = 52 - 20
"""Adding 1.5 * 2**32 times the spread, and taking it away, leaves 20 bits of it."""
STORE = types.void(BYTES, BYTES, types.intp, types.intp)


def loader_type(double: bool) -> Any:
    """Return the type of a loader of float64 or float32 entries."""
    entries = DOUBLES if double else SINGLES
    place = (types.intp, types.intp)
    return types.void(entries, *place, types.intp, entries, SINGLES, DOUBLES, DOUBLES)


def certifier_type(double: bool) -> Any:
    """Return the type of a certifier of float64 or float32 entries."""
    lines = (SINGLES, SINGLES, BYTES, BYTES, DOUBLES, DOUBLES, DOUBLES, DOUBLES)
    return types.intp(DOUBLES if double else SINGLES, *lines, types.intp)


@cache
def row_setter(n: int, m: int, at_most: bool) -> int:
    """Compile the half round that sets rows' potentials, in single precision."""

    @callback(types.void(SINGLES, SINGLES, SINGLES, SINGLES), n, m, int(at_most))
    def set_rows(S, U, V, floor):
        """Put U in the middle of the n-th and the (n+1)-th largest, for at-most-n not below 0."""
        half, least = set_(np.float32(0.5)), load(floor, 0)
        for i in range(m):
            nth, following = middle_pair(S, i * m * LANES, LANES, V, n, m)
            u = half * (nth + following)
            if at_most:
                u = max_(u, least)
            store(U, i * LANES, u)

    return set_rows


@cache
def certifier(n: int, m: int, double: bool) -> int:
    """Compile the float64 certificate for n of m."""

    @callback(certifier_type(double), n, m)
    def certify(E, U, V, X, columns, sizes, kept_out, inverse, total, at_most):
        """Mask what is above u + v, in float64; return which tiles this proves optimal.

        With x = [s > u + v] the dual bound exceeds the kept score by what short lines
        leave, sum u_i (n - x_i.) + sum v_j (n - x_.j): nothing if all lines hold n, and
        nothing for at-most-n if no potential is negative and a line that is short has
        potential 0. Potentials that dwarf the tile's largest size prove nothing. Writes X
        (bytes) and the kept scores; adds those of proven tiles, times inverse, to total.
        """
        zero = set_(0.0)
        full = set_(np.int8(n))
        none = zero > zero
        kept = zero
        bad = none
        high = zero
        side = zero
        for j in range(m):
            v = promote(load(V, j * LANES))
            side = max_(side, abs_(v))
            if at_most:
                bad = bad | (zero > v)
            store(columns, j * LANES, ones_from_mask(none))
        for i in range(m):
            u = promote(load(U, i * LANES))
            high = max_(high, abs_(u))
            if at_most:
                bad = bad | (zero > u)
            row = ones_from_mask(none)
            for j in range(m):
                k = (i * m + j) * LANES
                s = promote(load(E, k))
                x = s - promote(load(V, j * LANES)) - u > zero
                kept = kept + if_then_else(x, s, zero)
                one = ones_from_mask(x)
                store(X, k, one)
                row = row + one
                store(columns, j * LANES, load(columns, j * LANES) + one)
            if at_most:
                bad = bad | (full < row) | ((row < full) & (u > zero))
            else:
                bad = bad | (row < full) | (full < row)
        for j in range(m):
            column = load(columns, j * LANES)
            if at_most:
                v = promote(load(V, j * LANES))
                bad = bad | (full < column) | ((column < full) & (v > zero))
            else:
                bad = bad | (column < full) | (full < column)
        bad = bad | (high + side > set_(GUARD) * load(sizes, 0))
        store(kept_out, 0, kept)
        store(total, 0, load(total, 0) + if_then_else(bad, zero, kept * load(inverse, 0)))
        return 0xFFFF ^ bits_from_mask(bad)

    return certify


@cache
def loader(m: int, double: bool) -> int:
    """Compile the reading of 16 adjacent tiles."""
    share = CLIP / m

    @callback(loader_type(double), m)
    def read(W, stride, first, take_magnitude, E, S, sizes, room):
        """Read rows in one go, round to single precision, find the largest sizes.

        Writes what narrow steps must have room for, too: see `CLIP`.
        """
        top = heaviest = load(W, first) - load(W, first)  # 0, or NaN if there is something wrong
        for i in range(m):
            start = first + i * stride
            top, total = load_tiles(W, start, take_magnitude != 0, top, E, i * m * LANES, m)
            heaviest = max_(total, heaviest)
        if double:
            for k in range(0, m * m * LANES, LANES):
                store(S, k, demote(load(E, k)))
        store(sizes, 0, promote(top))
        store(room, 0, min_(promote(top), promote(heaviest) * set_(share)))

    return read


@cache
def prover(double: bool) -> int:
    """Compile the search for a proof of masks, for any pattern."""
    entries = DOUBLES if double else SINGLES
    lanes = (entries, BYTES, BYTES, BYTES, SINGLES, DOUBLES, DOUBLES, DOUBLES, DOUBLES)
    limits = (types.intp, types.float64, types.intp, types.intp, types.intp)

    @callback(types.intp(*lanes, *limits), int(double))
    def prove(E, X, rows, columns, U, U64, V64, kept_out, gap_out, sweeps, margin, at_most, n, m):
        """Find potentials that prove masks optimal, if they are; return which are proven.

        Starting from rows' potentials U, sweep over the difference constraints (Bellman and
        Ford's shortest paths in the residual graph):

            v_j = min of s_ij - u_i over kept i,    u_i >= s_ij - v_j for pruned j.

        A mask is optimal exactly if this settles in the end; here it gets so many sweeps. It
        starts lower by a margin, a share of the scores' spread, since it only raises u and
        noise may have raised it too far.
        Writes U64, V64 (float64), kept scores and gaps; a gap within TOLERANCE of the score
        is a proof.
        """
        zero = set_(0.0)
        one = set_(np.int8(1))
        full = set_(np.int8(n))
        infinite = set_(np.inf)
        low = high = promote(load(E, 0))
        for k in range(0, m * m * LANES, LANES):
            low = min_(low, promote(load(E, k)))
            high = max_(high, promote(load(E, k)))
        # Start from a coarse grid: then the sums of ordinary scores are exact, and so is 0.
        store(kept_out, 0, high - low)
        for t in range(LANES):
            gap_out[t] = ldexp(1.5, GRID_BITS + frexp(kept_out[t])[1])
        grid = load(gap_out, 0)
        for i in range(0, m * LANES, LANES):
            u = promote(load(U, i))
            if margin > 0.0:
                u = (u - set_(margin) * (high - low) + grid) - grid
            u = if_then_else(high > low, u, low)  # equal scores need no search
            if at_most:
                u = if_then_else(load(rows, i) < full, zero, max_(u, zero))
            store(U64, i, u)
        for _ in range(sweeps):
            for j in range(m):
                v = infinite
                for i in range(m):
                    k = (i * m + j) * LANES
                    x = load(X, k) == one
                    v = min_(
                        v, if_then_else(x, promote(load(E, k)) - load(U64, i * LANES), infinite)
                    )
                if at_most:
                    v = max_(v, zero)
                    v = if_then_else(load(columns, j * LANES) < full, zero, v)
                store(V64, j * LANES, v)
            moved = zero > zero
            for i in range(m):
                old = load(U64, i * LANES)
                new = old
                for j in range(m):
                    k = (i * m + j) * LANES
                    x = load(X, k) == one
                    need = promote(load(E, k)) - load(V64, j * LANES)
                    new = max_(new, if_then_else(x, old, need))
                if at_most:
                    new = if_then_else(load(rows, i * LANES) < full, zero, new)
                moved = moved | (new > old)
                store(U64, i * LANES, new)
            if bits_from_mask(moved) == 0:
                break
        kept = zero
        size = zero
        excess = zero
        for i in range(m):
            u = load(U64, i * LANES)
            for j in range(m):
                k = (i * m + j) * LANES
                x = load(X, k) == one
                s = promote(load(E, k))
                r = s - u - load(V64, j * LANES)
                excess = excess + max_(if_then_else(x, zero - r, r), zero)
                kept = kept + if_then_else(x, s, zero)
                size = size + if_then_else(x, abs_(s), zero)
        store(kept_out, 0, kept)
        store(gap_out, 0, excess)
        top = max_(abs_(low), abs_(high))
        most = zero
        side = zero
        for k in range(0, m * LANES, LANES):
            most = max_(most, abs_(load(U64, k)))
            side = max_(side, abs_(load(V64, k)))
        over = (excess > set_(TOLERANCE) * size) | (most + side > set_(GUARD) * top)
        return 0xFFFF ^ bits_from_mask(over)

    return prove


@cache
def potential_loader(m: int) -> int:
    """Compile the reading of column potentials of 16 adjacent tiles."""

    @callback(types.void(DOUBLES, types.intp, DOUBLES), m)
    def read_potentials(start, first, V64):
        load_tiles(start, first, False, set_(0.0), V64, 0, m)

    return read_potentials


@cache
def potential_storer(m: int) -> int:
    """Compile the writing of potentials of 16 adjacent tiles."""

    @callback(types.void(SINGLES, DOUBLES, DOUBLES, DOUBLES, types.intp), m)
    def write_potentials(U, inverse, room, out, first):
        """Write U times inverse, tile after tile; there is room for U in double precision."""
        times = load(inverse, 0)
        for k in range(0, m * LANES, LANES):
            store(room, k, promote(load(U, k)) * times)
        store_tiles(room, 0, out, first, m)

    return write_potentials


@cache
def storer(m: int) -> int:
    """Compile the writing of 16 adjacent tiles' masks."""

    @callback(STORE, m)
    def write(X, mask, stride, first):
        for i in range(m):
            store_tiles(X, i * m * LANES, mask, first + i * stride, m)

    return write
