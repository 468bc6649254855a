"""Potentials that prove a mask, in whole numbers: exact, and settled is proven.

Scores of single precision, times a power of two, are whole numbers below 2**28 unless they differ
in size by more than that leaves room for: of bfloat16 and integers only entries that are tiny
beside others do.

With x a mask whose lines hold what they may, sweep over the difference constraints

    v_j = min of s_ij - u_i over kept i,    u_i = max of u_i and of s_ij - v_j over pruned j

(Bellman and Ford's shortest paths in the residual graph). If no exchange of entries improves the
mask, this settles; settled potentials fulfil every constraint, and prove it. If one does, u rises
from sweep to sweep and v falls. Were that to go on past what 32 bits hold, they would wrap, and
what has wrapped can look settled: so a tile whose potentials leave LIMIT is given up.
"""

from __future__ import annotations

from functools import cache
from math import frexp, ldexp

import numpy as np
from numba import types

from masksolve.kernels.jit import callback
from masksolve.kernels.simd import (
    LANES,
    abs_,
    bits_from_mask,
    if_then_else,
    load,
    max_,
    min_,
    promote,
    set_,
    store,
)
from masksolve.kernels.whole import as_double, as_single, exceeds, greater, lesser, truncate

__all__ = ["LIMIT", "whole_prover"]

BITS = 28
LIMIT = 2**29
"""No sum of a score and of potentials up to this, nor of FAR and of them, leaves 32 bits."""
GRID = 2**9
"""Potentials begin as multiples of it: on grids of scores they stay so, and float32 holds them."""
FAR = 2**30
"""Stands for no constraint. Beside potentials near LIMIT it may be one after all, and v lower than
it need be: that breaks no constraint of the kept, and u makes up for it."""
SINGLES = types.CPointer(types.float32)
DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
WORDS = types.CPointer(types.uint32)
PROVE = types.intp(
    *(SINGLES, BYTES, BYTES, BYTES, SINGLES, WORDS, WORDS, WORDS, WORDS),
    *(SINGLES, DOUBLES, DOUBLES, DOUBLES, DOUBLES),
    *(types.intp, types.float32, types.uint32, types.intp, types.intp, types.intp),
)


@cache
def whole_prover() -> int:
    """Compile the search for a proof of masks in whole numbers, for any pattern."""

    @callback(PROVE)
    def prove(
        S, X, rows, columns, U, above, below, UW, VW, scale, U64, V64, kept_out, gaps,
        sweeps, margin, limit, at_most, n, m,
    ):  # fmt: skip
        """Find potentials that prove masks optimal, from rows' potentials U.

        These may be too high by a margin, a share of the scores' spread: u only rises. For
        at-most-n potentials are not negative, and 0 where a line is short.
        Returns which tiles are proven, and, 16 bits higher, which have whole scores. Of proven
        ones writes U64, V64 (float64), kept scores and gaps of 0. `above`, `below` (m m,), UW, VW
        (m,) and scale are scratch.
        """
        nothing, zero = set_(np.uint32(0)), set_(np.float32(0.0))
        low = high = load(S, 0)
        for k in range(0, m * m * LANES, LANES):
            low = min_(low, load(S, k))
            high = max_(high, load(S, k))
        store(scale, 0, max_(abs_(low), abs_(high)))
        for t in range(LANES):
            size = scale[t]
            scale[t] = ldexp(1.0, BITS - frexp(size)[1]) if size > 0.0 else 1.0
        times = load(scale, 0)
        one, far, near = set_(np.int8(1)), set_(np.uint32(FAR)), set_(np.uint32(2**32 - FAR))
        whole = zero == zero
        for k in range(0, m * m * LANES, LANES):
            raised = load(S, k) * times
            score = truncate(raised)
            whole = whole & (as_single(score) == raised)
            x = load(X, k) == one
            store(above, k, if_then_else(x, score, far))
            store(below, k, if_then_else(x, near, score))
        bound, grid = set_(limit), set_(np.uint32(2**32 - GRID))
        fine = whole
        full = set_(np.int8(n))
        room = set_(np.float32(LIMIT))
        for i in range(0, m * LANES, LANES):
            u = (load(U, i) - set_(margin) * (high - low)) * times
            if at_most:
                u = if_then_else(load(rows, i) < full, zero, max_(u, zero))
            fine = fine & (room > abs_(u))
            store(UW, i, truncate(max_(min_(u, room), zero - room)) & grid)
        moved = fine
        for _ in range(sweeps):
            for j in range(m):
                v = far
                for i in range(m):
                    v = lesser(v, load(above, (i * m + j) * LANES) - load(UW, i * LANES))
                if at_most:
                    fine = fine & (exceeds(v, nothing) | (v == nothing))
                    v = if_then_else(load(columns, j * LANES) < full, nothing, v)
                fine = fine & exceeds(bound, v) & exceeds(v, nothing - bound)
                store(VW, j * LANES, v)
            moved = zero > zero
            for i in range(m):
                old = load(UW, i * LANES)
                new = old
                for j in range(m):
                    new = greater(new, load(below, (i * m + j) * LANES) - load(VW, j * LANES))
                rises = exceeds(new, old)
                if at_most:
                    short = load(rows, i * LANES) < full
                    fine = if_then_else(short & rises, zero > zero, fine)
                moved = moved | rises
                fine = fine & exceeds(bound, new) & exceeds(new, nothing - bound)
                store(UW, i * LANES, new)
            if bits_from_mask(moved & fine) == 0:
                break
        inverse = set_(1.0) / promote(times)
        for k in range(0, m * LANES, LANES):
            store(U64, k, as_double(load(UW, k)) * inverse)
            store(V64, k, as_double(load(VW, k)) * inverse)
        kept = set_(0.0)
        for k in range(0, m * m * LANES, LANES):
            kept = kept + promote(if_then_else(load(X, k) == one, load(S, k), zero))
        store(kept_out, 0, kept)
        store(gaps, 0, set_(0.0))
        proven = bits_from_mask(fine) & ~bits_from_mask(moved)
        return proven | bits_from_mask(whole) << LANES

    return prove
