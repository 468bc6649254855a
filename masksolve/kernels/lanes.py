"""Sixteen tiles at a time: what comes before the rounds, and between them.

Flat arrays of lanes: score (i, j) of the 16 tiles is ``S[16 (i m + j):]`` and so on,
potentials ``U[16 i:]``, ``V[16 j:]``. A function on lanes treats each tile by itself,
so what it finds for a tile does not depend on the other fifteen.
"""

from __future__ import annotations

from math import frexp, ldexp

import numpy as np

from masksolve.kernels.jit import inner
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
    set_,
    store,
)
from masksolve.limits import LARGEST_SCORE

__all__ = [
    "GUARD",
    "LANES",
    "TOLERANCE",
    "begin",
    "count_lines",
    "leave",
    "mask_above",
    "perturb",
    "raise_rows",
    "recall",
    "rescale",
    "set_base",
    "set_floor",
    "set_step",
    "settle_shift",
]

GUARD = 8.0
"""Potentials this many times larger than the scores lose them in rounding."""
TOLERANCE = 1e-12
"""A tile is proven when its gap is at most this share of its score."""
TINY = 1e-30
"""Room that steps are chosen for where scores are all equal."""
BIG, SMALL = 2.0**64, 2.0**-64
"""Sizes between which single precision computes without over- or underflow."""


@inner
def rescale(E, S, sizes, room, scale, inverse, m):
    """Bring tiles into single precision's comfortable range by powers of two.

    Writes scale and inverse, 1 for most tiles, and brings sizes and room along. Returns whether all
    scores are finite and small enough to be summed.
    """
    store(scale, 0, set_(1.0))
    store(inverse, 0, set_(1.0))
    size = load(sizes, 0)
    fit = (set_(BIG) > size) & (size > set_(SMALL))
    if bits_from_mask(fit) == 0xFFFF:
        return True
    for t in range(LANES):
        if not sizes[t] <= LARGEST_SCORE:
            return False
        if sizes[t] == 0.0 or SMALL < sizes[t] < BIG:
            continue
        scale[t] = ldexp(1.0, min(-frexp(sizes[t])[1], 1000))
        inverse[t] = 1.0 / scale[t]
        for k in range(t, m * m * LANES, LANES):
            value = E[k] * scale[t]
            E[k] = value
            S[k] = value
        sizes[t] *= scale[t]
        room[t] *= scale[t]
    return True


@inner
def begin(V64, scale, sizes, V, at_most, m):
    """Take over column potentials, brought to the size of the scores.

    Much larger ones would swallow the scores, in the rounds and in the certificate.
    For exactly-n they are as good after a shift.
    """
    zero = set_(0.0)
    shift = zero
    if not at_most:
        low = high = load(V64, 0)
        for j in range(LANES, m * LANES, LANES):
            low = min_(low, load(V64, j))
            high = max_(high, load(V64, j))
        shift = set_(0.5) * low + set_(0.5) * high
    most = load(sizes, 0)
    least = zero
    if not at_most:
        least = zero - most
    for j in range(0, m * LANES, LANES):
        v = (load(V64, j) - shift) * load(scale, 0)
        store(V, j, demote(max_(min_(v, most), least)))  # in this order NaN goes too


@inner
def set_floor(S, cold, take_magnitude, floor, m):
    """Set each tile's floor for rounds of at-most-n: 0, or none for now.

    From a cold start with scores >= 0, rounds for exactly n come closer sooner, to be
    shifted afterwards (`settle_shift`).
    """
    zero = set_(np.float32(0.0))
    least = zero
    if cold:
        least = set_(np.float32(-np.inf))
        if not take_magnitude:
            low = load(S, 0)
            for k in range(LANES, m * m * LANES, LANES):
                low = min_(low, load(S, k))
            least = if_then_else(zero > low, zero, least)
    store(floor, 0, least)


@inner
def set_step(room, most, step):
    """Choose narrow steps, so that scores lie up to about `most` of them apart from their base."""
    size = max_(demote(load(room, 0)), set_(np.float32(TINY)))
    store(step, 0, size / set_(most))


@inner
def set_base(S, base, m):
    """Find each tile's mean score."""
    total = load(S, 0) - load(S, 0)
    for k in range(0, m * m * LANES, LANES):
        total = total + load(S, k)
    store(base, 0, total / set_(np.float32(m * m)))


@inner
def settle_shift(U, V, floor, m):
    """Shift u up and v down until their minima agree, then cut off below zero.

    For exactly-n potentials (u + c, v - c) are as good for every c; where no minimum
    is negative after the shift they prove the mask for at-most-n too. Tiles that had a
    floor of 0 are left alone.
    """
    u, v = load(U, 0), load(V, 0)
    for k in range(LANES, m * LANES, LANES):
        u = min_(u, load(U, k))
        v = min_(v, load(V, k))
    zero = set_(np.float32(0.0))
    shift = if_then_else(zero > load(floor, 0), set_(np.float32(0.5)) * (v - u), zero)
    for k in range(0, m * LANES, LANES):
        store(U, k, max_(load(U, k) + shift, zero))
        store(V, k, max_(load(V, k) - shift, zero))


@inner
def perturb(S, noise, P, m):
    """Break ties: add a small multiple of the noise, which depends on position alone."""
    low = high = load(S, 0)
    for k in range(0, m * m * LANES, LANES):
        low = min_(low, load(S, k))
        high = max_(high, load(S, k))
    zero = set_(np.float32(0.0))
    step = high - low
    size = max_(abs_(low), abs_(high))
    step = if_then_else(step > zero, step, if_then_else(size > zero, size, set_(np.float32(1.0))))
    for k in range(m * m):
        store(P, k * LANES, load(S, k * LANES) + set_(noise[k]) * step)


@inner
def leave(g, unproven, left, left_V, lefts, m):
    """Note which of sixteen tiles are left, and their column potentials; return how many are now.

    They may take the place of those of the same or an earlier sixteen.
    """
    for t in range(LANES):
        if unproven >> t & 1:
            left[lefts] = g.tiles[t]
            for j in range(m):
                left_V[lefts, j] = g.V[j * LANES + t]
            lefts += 1
    return lefts


@inner
def recall(old, tiles, across, X, m):
    """Copy 16 tiles of an earlier mask into lanes."""
    for t in range(LANES):
        top, left = (tiles[t] // across) * m, (tiles[t] % across) * m
        for i in range(m):
            for j in range(m):
                X[(i * m + j) * LANES + t] = old[top + i, left + j]


@inner
def count_lines(X, row_counts, column_counts, at_most, n, m):
    """Count what lines hold; return the tiles in which they hold what they may."""
    full = set_(np.int8(n))
    none = full < full
    bad = none
    for j in range(0, m * LANES, LANES):
        store(column_counts, j, ones_from_mask(none))
    for i in range(m):
        row = ones_from_mask(none)
        for j in range(m):
            one = load(X, (i * m + j) * LANES)
            row = row + one
            store(column_counts, j * LANES, load(column_counts, j * LANES) + one)
        store(row_counts, i * LANES, row)
        bad = bad | (full < row)
        if not at_most:
            bad = bad | (row < full)
    for j in range(m):
        column = load(column_counts, j * LANES)
        bad = bad | (full < column)
        if not at_most:
            bad = bad | (column < full)
    return 0xFFFF ^ bits_from_mask(bad)


@inner
def mask_above(S, U, V, X, m):
    """Mask what is above u + v."""
    for i in range(m):
        u = load(U, i * LANES)
        for j in range(m):
            k = (i * m + j) * LANES
            store(X, k, ones_from_mask(load(S, k) - load(V, j * LANES) > u))


@inner
def raise_rows(S, X, V, U, m):
    """Set U to the least that a mask allows with V: the largest pruned s - v of a row."""
    one = set_(np.int8(1))
    for i in range(m):
        u = set_(np.float32(-np.inf))
        for j in range(m):
            k = (i * m + j) * LANES
            x = load(X, k) == one
            u = if_then_else(x, u, max_(u, load(S, k) - load(V, j * LANES)))
        store(U, i * LANES, u)
