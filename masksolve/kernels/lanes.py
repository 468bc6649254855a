"""Sixteen tiles at a time: preparation, ties and their proof.

Flat arrays of lanes: score (i, j) of the 16 tiles is ``S[16 (i m + j):]`` and so on,
potentials ``U[16 i:]``, ``V[16 j:]``. A function on lanes treats each tile by itself,
so what it finds for a tile does not depend on the other fifteen.
"""

from __future__ import annotations

from math import frexp, ldexp

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import (
    LANES,
    bits,
    count,
    fill,
    larger,
    larger_size,
    load,
    magnitude,
    narrow,
    pick,
    smaller,
    store,
    wide,
)

__all__ = [
    "GUARD",
    "LANES",
    "MARGIN",
    "begin",
    "count_lines",
    "mask_above",
    "measure",
    "perturb",
    "prove",
    "raise_rows",
    "recall",
    "rescale",
    "set_floor",
    "settle_shift",
]

GUARD = 8.0
"""Potentials this many times larger than the scores lose them in rounding."""
MARGIN = 3e-4
"""Share of the scores' spread by which noise may have raised a potential."""
GRID_BITS = 52 - 20
"""Adding 1.5 * 2**32 times the spread, and taking it away, leaves 20 bits of it."""
BIG, SMALL = 2.0**64, 2.0**-64
"""Sizes between which single precision computes without over- or underflow."""


@kernel
def measure(E, S, take_magnitude, sizes, m):
    """Take magnitudes if told to, round to single precision, find the largest sizes."""
    top = load(E, 0) - load(E, 0)
    for k in range(0, m * m * LANES, LANES):
        value = load(E, k)
        top = larger_size(top, value)
        if take_magnitude:
            value = magnitude(value)
            store(E, k, value)
        store(S, k, narrow(value))
    store(sizes, 0, wide(top))


@kernel
def rescale(E, S, sizes, scale, inverse, limit, m):
    """Bring tiles into single precision's comfortable range by powers of two.

    Writes scale and inverse, 1 for most tiles, and brings sizes along. Returns False if
    a score is not finite or beyond the limit.
    """
    store(scale, 0, fill(1.0))
    store(inverse, 0, fill(1.0))
    size = load(sizes, 0)
    fit = (fill(BIG) > size) & (size > fill(SMALL))
    if bits(fit) == 0xFFFF:
        return True
    for t in range(LANES):
        if not sizes[t] <= limit:
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
    return True


@kernel
def begin(VV, scale, sizes, V, at_most, m):
    """Take over column potentials, brought to the size of the scores.

    Much larger ones would swallow the scores, in the rounds and in the certificate.
    For exactly-n they are as good after a shift.
    """
    zero = fill(0.0)
    shift = zero
    if not at_most:
        low = high = load(VV, 0)
        for j in range(LANES, m * LANES, LANES):
            low = smaller(low, load(VV, j))
            high = larger(high, load(VV, j))
        shift = fill(0.5) * low + fill(0.5) * high
    most = load(sizes, 0)
    least = zero
    if not at_most:
        least = zero - most
    for j in range(0, m * LANES, LANES):
        v = (load(VV, j) - shift) * load(scale, 0)
        store(V, j, narrow(larger(smaller(v, most), least)))  # in this order NaN goes too


@kernel
def set_floor(S, cold, take_magnitude, floor, m):
    """Set each tile's floor for rounds of at-most-n: 0, or none for now.

    From a cold start with scores >= 0, rounds for exactly n come closer sooner, to be
    shifted afterwards (`settle_shift`).
    """
    zero = fill(np.float32(0.0))
    least = zero
    if cold:
        least = fill(np.float32(-np.inf))
        if not take_magnitude:
            low = load(S, 0)
            for k in range(LANES, m * m * LANES, LANES):
                low = smaller(low, load(S, k))
            least = pick(zero > low, zero, least)
    store(floor, 0, least)


@kernel
def settle_shift(U, V, floor, m):
    """Shift u up and v down until their minima agree, then cut off below zero.

    For exactly-n potentials (u + c, v - c) are as good for every c; where no minimum
    is negative after the shift they prove the mask for at-most-n too. Tiles that had a
    floor of 0 are left alone.
    """
    u, v = load(U, 0), load(V, 0)
    for k in range(LANES, m * LANES, LANES):
        u = smaller(u, load(U, k))
        v = smaller(v, load(V, k))
    zero = fill(np.float32(0.0))
    shift = pick(zero > load(floor, 0), fill(np.float32(0.5)) * (v - u), zero)
    for k in range(0, m * LANES, LANES):
        store(U, k, larger(load(U, k) + shift, zero))
        store(V, k, larger(load(V, k) - shift, zero))


@kernel
def perturb(S, noise, P, m):
    """Break ties: add a small multiple of the noise, which depends on position alone."""
    low = high = load(S, 0)
    for k in range(0, m * m * LANES, LANES):
        low = smaller(low, load(S, k))
        high = larger(high, load(S, k))
    zero = fill(np.float32(0.0))
    step = high - low
    size = larger(magnitude(low), magnitude(high))
    step = pick(step > zero, step, pick(size > zero, size, fill(np.float32(1.0))))
    for k in range(m * m):
        store(P, k * LANES, load(S, k * LANES) + fill(noise[k]) * step)


@kernel
def recall(old, tiles, across, X, m):
    """Copy 16 tiles of an earlier mask into lanes."""
    for t in range(LANES):
        top, left = (tiles[t] // across) * m, (tiles[t] % across) * m
        for i in range(m):
            for j in range(m):
                X[(i * m + j) * LANES + t] = old[top + i, left + j]


@kernel
def count_lines(X, row_counts, column_counts, at_most, n, m):
    """Count what lines hold; return the tiles in which they hold what they may."""
    full = fill(np.int8(n))
    none = full < full
    bad = none
    for j in range(0, m * LANES, LANES):
        store(column_counts, j, count(none))
    for i in range(m):
        row = count(none)
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
    return 0xFFFF ^ bits(bad)


@kernel
def mask_above(S, U, V, X, m):
    """Mask what is above u + v."""
    for i in range(m):
        u = load(U, i * LANES)
        for j in range(m):
            k = (i * m + j) * LANES
            store(X, k, count(load(S, k) - load(V, j * LANES) > u))


@kernel
def raise_rows(S, X, V, U, m):
    """Set U to the least that a mask allows with V: the largest pruned s - v of a row."""
    one = fill(np.int8(1))
    for i in range(m):
        u = fill(np.float32(-np.inf))
        for j in range(m):
            k = (i * m + j) * LANES
            x = load(X, k) == one
            u = pick(x, u, larger(u, load(S, k) - load(V, j * LANES)))
        store(U, i * LANES, u)


@kernel
def prove(
    E,
    X,
    row_counts,
    column_counts,
    U,
    UU,
    VV,
    kept_out,
    gap_out,
    sweeps,
    margin,
    tolerance,
    at_most,
    n,
    m,
):
    """Find potentials that prove masks optimal, if they are; return which are proven.

    Starting from rows' potentials U, sweep over the difference constraints (Bellman and
    Ford's shortest paths in the residual graph):

        v_j = min of s_ij - u_i over kept i,    u_i >= s_ij - v_j for pruned j.

    A mask is optimal exactly if this settles in the end; here it gets so many sweeps. It
    starts lower by a margin, a share of the scores' spread, since it only raises u and
    noise may have raised it too far.
    Writes UU, VV (float64), kept scores and gaps; a gap within tolerance times the score
    is a proof.
    """
    zero = fill(0.0)
    one = fill(np.int8(1))
    full = fill(np.int8(n))
    infinite = fill(np.inf)
    low = high = wide(load(E, 0))
    for k in range(0, m * m * LANES, LANES):
        low = smaller(low, wide(load(E, k)))
        high = larger(high, wide(load(E, k)))
    # Start from a coarse grid: then the sums of ordinary scores are exact, and so is 0.
    store(kept_out, 0, high - low)
    for t in range(LANES):
        gap_out[t] = ldexp(1.5, GRID_BITS + frexp(kept_out[t])[1])
    grid = load(gap_out, 0)
    for i in range(0, m * LANES, LANES):
        u = wide(load(U, i))
        if margin > 0.0:
            u = (u - fill(margin) * (high - low) + grid) - grid
        u = pick(high > low, u, low)  # equal scores need no search
        if at_most:
            u = pick(load(row_counts, i) < full, zero, larger(u, zero))
        store(UU, i, u)
    for _ in range(sweeps):
        for j in range(m):
            v = infinite
            for i in range(m):
                k = (i * m + j) * LANES
                x = load(X, k) == one
                v = smaller(v, pick(x, wide(load(E, k)) - load(UU, i * LANES), infinite))
            if at_most:
                v = larger(v, zero)
                v = pick(load(column_counts, j * LANES) < full, zero, v)
            store(VV, j * LANES, v)
        moved = zero > zero
        for i in range(m):
            old = load(UU, i * LANES)
            new = old
            for j in range(m):
                k = (i * m + j) * LANES
                x = load(X, k) == one
                need = wide(load(E, k)) - load(VV, j * LANES)
                new = larger(new, pick(x, old, need))
            if at_most:
                new = pick(load(row_counts, i * LANES) < full, zero, new)
            moved = moved | (new > old)
            store(UU, i * LANES, new)
        if bits(moved) == 0:
            break
    kept = zero
    size = zero
    excess = zero
    for i in range(m):
        u = load(UU, i * LANES)
        for j in range(m):
            k = (i * m + j) * LANES
            x = load(X, k) == one
            s = wide(load(E, k))
            r = s - u - load(VV, j * LANES)
            excess = excess + larger(pick(x, zero - r, r), zero)
            kept = kept + pick(x, s, zero)
            size = size + pick(x, magnitude(s), zero)
    store(kept_out, 0, kept)
    store(gap_out, 0, excess)
    top = larger(magnitude(low), magnitude(high))
    most = zero
    side = zero
    for k in range(0, m * LANES, LANES):
        most = larger(most, magnitude(load(UU, k)))
        side = larger(side, magnitude(load(VV, k)))
    over = (excess > fill(tolerance) * size) | (most + side > fill(GUARD) * top)
    return 0xFFFF ^ bits(over)
