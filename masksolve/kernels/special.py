"""What is compiled for each pattern: rounds, certificate, reading and writing rows.

Everything else takes n and m as it runs. These few functions have them built in, and
the engine calls them by their addresses, so that a new pattern compiles in a second.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from masksolve.kernels.jit import callback
from masksolve.kernels.lanes import GUARD, prove
from masksolve.kernels.simd import (
    LANES,
    bits,
    count,
    fill,
    larger,
    load,
    load_tiles,
    magnitude,
    middle,
    narrow,
    pick,
    store,
    store_tiles,
    wide,
)

__all__ = ["certifier", "loader", "price_loader", "prover", "relaxer", "storer"]

SINGLES = types.CPointer(types.float32)
DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
RELAX = types.void(SINGLES, SINGLES, SINGLES, types.intp, types.intp, types.float32, SINGLES)
STORE = types.void(BYTES, BYTES, types.intp, types.intp)


def loader_type(double: bool) -> Any:
    """Return the type of a loader of float64 or float32 entries."""
    entries = DOUBLES if double else SINGLES
    place = (types.intp, types.intp)
    return types.void(entries, *place, types.intp, entries, SINGLES, DOUBLES)


def certifier_type(double: bool) -> Any:
    """Return the type of a certifier of float64 or float32 entries."""
    lines = (SINGLES, SINGLES, BYTES, BYTES, DOUBLES, DOUBLES, DOUBLES, DOUBLES)
    return types.intp(DOUBLES if double else SINGLES, *lines, types.intp)


@cache
def relaxer(n: int, m: int) -> int:
    """Compile the rounds for n of m, 1 <= n < m."""

    @callback(RELAX, n, m)
    def relax(S, U, V, times, cold, omega, floor):
        """Alternate over-relaxed thresholds of rows and columns.

        Each half round minimises the dual exactly in one side's potentials, between the
        n-th and the (n+1)-th largest of every line, and goes omega times as far, but not
        below the tile's floor. A cold start (V = 0) takes its first round unrelaxed. At
        last U is set exactly.
        """
        least = load(floor, 0)
        for k in range(times):
            w = fill(np.float32(1.0) if k == 0 else omega)
            for i in range(m):
                u = middle(S, i * m * LANES, LANES, V, n, m)
                if k > 0:
                    old = load(U, i * LANES)
                    u = old + w * (u - old)
                store(U, i * LANES, larger(u, least))
            if not cold:
                w = fill(omega)
            for j in range(m):
                old = load(V, j * LANES)
                v = old + w * (middle(S, j * LANES, m * LANES, U, n, m) - old)
                store(V, j * LANES, larger(v, least))
        for i in range(m):
            u = middle(S, i * m * LANES, LANES, V, n, m)
            store(U, i * LANES, larger(u, least))

    return relax


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
        zero = fill(0.0)
        full = fill(np.int8(n))
        none = zero > zero
        kept = zero
        bad = none
        high = zero
        side = zero
        for j in range(m):
            v = wide(load(V, j * LANES))
            side = larger(side, magnitude(v))
            if at_most:
                bad = bad | (zero > v)
            store(columns, j * LANES, count(none))
        for i in range(m):
            u = wide(load(U, i * LANES))
            high = larger(high, magnitude(u))
            if at_most:
                bad = bad | (zero > u)
            row = count(none)
            for j in range(m):
                k = (i * m + j) * LANES
                s = wide(load(E, k))
                x = s - wide(load(V, j * LANES)) - u > zero
                kept = kept + pick(x, s, zero)
                one = count(x)
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
                v = wide(load(V, j * LANES))
                bad = bad | (full < column) | ((column < full) & (v > zero))
            else:
                bad = bad | (column < full) | (full < column)
        bad = bad | (high + side > fill(GUARD) * load(sizes, 0))
        store(kept_out, 0, kept)
        store(total, 0, load(total, 0) + pick(bad, zero, kept * load(inverse, 0)))
        return 0xFFFF ^ bits(bad)

    return certify


@cache
def loader(m: int, double: bool) -> int:
    """Compile the reading of 16 adjacent tiles; m is a power of two."""

    @callback(loader_type(double), m)
    def read(W, stride, first, take_magnitude, E, S, sizes):
        """Do as `gather` and `measure`, by whole rows and in one go."""
        top = load(W, first) - load(W, first)  # 0, or NaN if there is something wrong
        for i in range(m):
            start = first + i * stride
            top = load_tiles(W, start, take_magnitude != 0, top, E, i * m * LANES, m)
        if double:
            for k in range(0, m * m * LANES, LANES):
                store(S, k, narrow(load(E, k)))
        store(sizes, 0, wide(top))

    return read


@cache
def prover(double: bool) -> int:
    """Compile `prove`, for any pattern, apart from the engine that calls it twice."""
    entries = DOUBLES if double else SINGLES
    lanes = (entries, BYTES, BYTES, BYTES, SINGLES, DOUBLES, DOUBLES, DOUBLES, DOUBLES)
    limits = (types.intp, types.float64, types.float64, types.intp, types.intp, types.intp)

    @callback(types.intp(*lanes, *limits), int(double))
    def prove_mask(
        E, X, rows, columns, U, UU, VV, kept, gaps, sweeps, margin, tolerance, at_most, n, m
    ):
        return prove(
            E,
            X,
            rows,
            columns,
            U,
            UU,
            VV,
            kept,
            gaps,
            sweeps,
            margin,
            tolerance,
            at_most != 0,
            n,
            m,
        )

    return prove_mask


@cache
def price_loader(m: int) -> int:
    """Compile the reading of column potentials of 16 adjacent tiles."""

    @callback(types.void(DOUBLES, types.intp, DOUBLES), m)
    def read_prices(start, first, VV):
        load_tiles(start, first, False, fill(0.0), VV, 0, m)

    return read_prices


@cache
def storer(m: int) -> int:
    """Compile the writing of 16 adjacent tiles' masks; m is a power of two."""

    @callback(STORE, m)
    def write(X, mask, stride, first):
        for i in range(m):
            store_tiles(X, i * m * LANES, mask, first + i * stride, m)

    return write
