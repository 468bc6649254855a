"""The rounds, in 16-bit integers.

Scores and potentials are whole multiples of a step, chosen for each tile. Held are s + 2**15 and
p + ZERO for a score s and a potential p, so that their difference, as far as it is not cut off at
0, is s - p + ZERO: and the middle of two such differences is the other side's potential as it is
held. Where the cut is felt, or steps are too coarse, potentials come out worse than they could.
No proof rests on them: the certificate takes the scores as they are.

Zoom brings precision back: what is left of the scores under the potentials so far, s - u - v in
float32, is put in finer steps, cut off where it is far from zero, and rounds go on from there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import types

from masksolve.kernels.jit import callback
from masksolve.kernels.middle_pair import middle_pair
from masksolve.kernels.narrow import at_least_lanes, average, fraction, narrow, take, widen
from masksolve.kernels.schedule import relaxations, rounds
from masksolve.kernels.simd import (
    LANES,
    abs_,
    if_then_else,
    load,
    max_,
    min_,
    prefetch,
    prefetch_to_write,
    promote,
    set_,
    store,
)
from masksolve.kernels.special import CLIP

__all__ = ["coarsener", "narrow_relaxer", "refiner", "room_finder", "widener"]

SINGLES = types.CPointer(types.float32)
NARROWS = types.CPointer(types.int16)
BYTES = types.CPointer(types.int8)
DOUBLES = types.CPointer(types.float64)
ZERO = 16384
SHORT = 8
"""To this m the first half round of all, in which no potentials are to be taken away, is compiled
by itself: of longer lines it is too small a share."""
FAR = 2.0**16
"""Where zoom cuts off."""
RELAX = types.void(*[NARROWS] * 5, types.intp, types.intp, *[BYTES, types.intp] * 2)
LINE = 64
"""Bytes that memory hands over at a time."""


def largest_score(m: int) -> int:
    """Return what scores are scaled to: where potentials spread less, more is left of 16 bits."""
    return 16000 if m <= 4 else 24000 if m <= 8 else 32767


@cache
def narrow_relaxer(n: int, m: int, at_most: bool) -> int:
    """Compile the rounds for n of m, 1 <= n < m, by their relaxations."""
    shares = np.round((relaxations(m) - 1) * 2**15).astype(np.int16)
    short = m <= SHORT
    each = -(-LANES * m * 4 // (LINE * rounds(m)))

    @callback(RELAX, n, m, int(at_most))
    def relax(S, U, V, least_u, least_v, first, last, ahead, stride, mask, mask_stride):
        """Alternate over-relaxed thresholds of rows and columns, rounds first to last - 1.

        Each half round minimises the dual exactly in one side's potentials, between the
        n-th and the (n+1)-th largest of every line, and goes further by shares[k] / 2**15, but
        for at-most-n not below a line's least. The first sets U exactly, from V, which is 0
        before round 0. Meanwhile m rows are fetched that come next, and m of a mask that are
        going to be written, if there are strides of bytes.
        """
        zero = set_(np.int16(ZERO))
        for k in range(first, last):
            share = set_(shares[k])
            for i in range(m):
                if mask_stride and k == first:
                    for line in range(0, LANES * m, LINE):
                        prefetch_to_write(mask, i * mask_stride + line)
                if stride:
                    for line in range(each):
                        prefetch(ahead, i * stride + (k * each + line) * LINE)
                if short and k == 0:
                    a, b = middle_pair(S, i * m * LANES, LANES, None, n, m)
                    u = take(average(a, b), zero)
                else:
                    a, b = middle_pair(S, i * m * LANES, LANES, V, n, m)
                    u = average(a, b)
                if at_most:
                    u = at_least_lanes(u, load(least_u, i * LANES))
                if k > first:
                    u = u + fraction(u - load(U, i * LANES), share)
                    if at_most:
                        u = at_least_lanes(u, load(least_u, i * LANES))
                store(U, i * LANES, u)
            for j in range(m):
                a, b = middle_pair(S, j * LANES, m * LANES, U, n, m)
                v = average(a, b)
                if at_most:
                    v = at_least_lanes(v, load(least_v, j * LANES))
                v = v + fraction(v - load(V, j * LANES), share)
                if at_most:
                    v = at_least_lanes(v, load(least_v, j * LANES))
                store(V, j * LANES, v)

    return relax


@cache
def room_finder() -> int:
    """Compile the look for room that signed scores need, for any m."""

    @callback(types.void(SINGLES, SINGLES, DOUBLES, types.intp))
    def find_room(S, base, room, m):
        """Find what narrow steps must have room for if scores count from a base; see `CLIP`."""
        middle = load(base, 0)
        top = heaviest = set_(np.float32(0.0))
        for i in range(0, m * m * LANES, m * LANES):
            total = set_(np.float32(0.0))
            for k in range(i, i + m * LANES, LANES):
                size = abs_(load(S, k) - middle)
                top = max_(top, size)
                total = total + size
            heaviest = max_(heaviest, total)
        clipped = heaviest * set_(np.float32(CLIP) / np.float32(m))
        store(room, 0, promote(min_(top, clipped)))

    return find_room


@cache
def coarsener() -> int:
    """Compile the rounding of scores to steps, for any m."""

    @callback(types.void(*[SINGLES] * 4, *[NARROWS] * 4, types.intp))
    def coarsen(S, base, floor, step, N, V, least_u, least_v, m):
        """Bring scores, less a base, to steps, and potentials to 0.

        Writes what potentials are at least by the floor, too.
        """
        middle, finer = load(base, 0), set_(np.float32(1.0)) / load(step, 0)
        for k in range(0, m * m * LANES, LANES):
            store(N, k, narrow((load(S, k) - middle) * finer))
        zero = set_(np.int16(ZERO))
        none = set_(np.int16(0))
        bound = if_then_else(set_(np.float32(0.0)) > load(floor, 0), none, zero)
        for k in range(0, m * LANES, LANES):
            store(V, k, zero)
            store(least_u, k, bound)
            store(least_v, k, bound)

    return coarsen


@cache
def refiner() -> int:
    """Compile what rounds go on with when they zoom, for any m."""

    @callback(types.void(*[SINGLES] * 5, types.float32, *[NARROWS] * 4, types.intp))
    def refine(S, U, V, floor, step, zoom, N, V16, least_u, least_v, m):
        """Make steps finer, bring what scores leave under potentials to them, potentials to 0."""
        fine = load(step, 0) / set_(zoom)
        store(step, 0, fine)
        finer = set_(np.float32(1.0)) / fine
        lowest, highest = set_(np.float32(-FAR)), set_(np.float32(FAR))
        for i in range(m):
            u = load(U, i * LANES)
            for j in range(m):
                k = (i * m + j) * LANES
                left = (load(S, k) - load(V, j * LANES) - u) * finer
                store(N, k, narrow(max_(min_(left, highest), lowest)))
        zero, turn, bottom = set_(np.int16(ZERO)), set_(np.int16(2**15 - ZERO)), load(floor, 0)
        for k in range(0, m * LANES, LANES):
            store(V16, k, zero)
            for P, least in ((U, least_u), (V, least_v)):
                below = max_(min_((bottom - load(P, k)) * finer, highest), lowest)
                store(least, k, take(narrow(below), turn))

    return refine


@cache
def widener() -> int:
    """Compile the way of column potentials back to single precision."""

    @callback(types.void(NARROWS, NARROWS, *[SINGLES] * 3, types.intp, types.intp))
    def widen_potentials(V16, least, floor, step, V, add, m):
        """Write them, or add them to those that they were finer than; what is least is 0 again."""
        zero, size = set_(np.float32(ZERO)), load(step, 0)
        nothing = set_(np.float32(0.0))
        floored = load(floor, 0) == nothing
        for k in range(0, m * LANES, LANES):
            held = load(V16, k)
            v = (widen(held) - zero) * size
            if add:
                v = load(V, k) + v
            store(V, k, if_then_else(floored & (held == load(least, k)), nothing, v))

    return widen_potentials
