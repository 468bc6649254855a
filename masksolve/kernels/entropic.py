"""Entropic transport onto {row sums n}, {column sums n}, {x <= 1}, and its rounding.

Dykstra's projections in the Kullback-Leibler sense, sixteen tiles at a time. The plan
is x = min(y, 1): projecting onto x <= 1 cuts y off, and Dykstra's correction puts what
was cut off back before the next round, so that y itself is all there is to remember.
A round multiplies each row of y by r_i = n / (sum of the row's x), then each column by
c_j = n / (sum of the column's r_i x). For at most n, rows and columns may only be
shrunk in total: r_i is at most `slack`, the inverse of all factors so far.

y = exp(sharpness (s - u - v) / size), so squaring it doubles the sharpness and keeps
the potentials u, v: that is how a tile starts soft and ends sharp, without a logarithm.

For exactly n no sum vanishes: the first factors find y >= exp(-600), and after a round
every line has an entry y >= n / m^2. Entries may over- or underflow, to infinity (kept
for sure) or zero (last in line); never to NaN.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import (
    LANES,
    abs_,
    bits_from_mask,
    if_then_else,
    load,
    max_,
    min_,
    set_,
    store,
)

__all__ = ["project_tiles", "round_plans"]

HALVINGS = 12
"""exp(x) is the Taylor polynomial at x / 2**12, squared 12 times."""

BANDS = (0.5, 0.01, 0.0)
"""Plans are rounded from band to band, each down to such a value."""


@kernel
def exponential(x):
    """Return exp(x) for |x| <= 600 to about 1e-12, by IEEE operations alone."""
    one = set_(1.0)
    x = x * set_(0.5**HALVINGS)
    e = one
    for k in range(8, 0, -1):
        e = one + e * x * set_(1.0 / k)
    for _ in range(HALVINGS):
        e = e * e
    return e


@kernel
def begin_plan(Y, slack, sharpness, at_most, m):
    """Turn scores into y: relative to the largest magnitude, and to the row's largest.

    The latter is the first projection onto the rows but for a factor, and keeps y <= 1.
    For at most n it would not do: there 0 is a score like no other.
    """
    zero = set_(0.0)
    size = zero
    for k in range(0, m * m * LANES, LANES):
        size = max_(size, abs_(load(Y, k)))
    size = if_then_else(size > zero, size, set_(1.0))
    for i in range(m):
        first, last = i * m * LANES, (i + 1) * m * LANES
        top = zero
        if not at_most:
            top = load(Y, first)
            for k in range(first, last, LANES):
                top = max_(top, load(Y, k))
        for k in range(first, last, LANES):
            y = load(Y, k) / size - top / size
            store(Y, k, exponential(set_(sharpness) * y))
    for k in range(0, 2 * m * LANES, LANES):
        store(slack, k, set_(1.0 if at_most else np.inf))


@kernel
def sharpen(Y, slack, m):
    """Double the sharpness."""
    for k in range(0, m * m * LANES, LANES):
        store(Y, k, load(Y, k) * load(Y, k))
    for k in range(0, 2 * m * LANES, LANES):
        store(slack, k, load(slack, k) * load(slack, k))


@kernel
def factor(total, slack, k, done, n):
    """Return what a line is multiplied by, 1 in tiles that are done."""
    r = min_(load(slack, k), set_(1.0 * n) / total)
    r = if_then_else(done, set_(1.0), r)
    store(slack, k, load(slack, k) / r)
    return r


@kernel
def project(Y, slack, sums, factors, n, m, rounds, tolerance):
    """Do rounds until no factor is further from 1 than the tolerance; return how many.

    A tile that is done stays as it is, however long the others take. `factors` of the
    columns are applied in the round that follows, where they cost no pass of their own.
    """
    zero = set_(0.0)
    one = set_(1.0)
    done = zero > zero
    spent = 0
    for j in range(0, m * LANES, LANES):
        store(factors, j, one)
    for _ in range(rounds):
        spent += 1
        moved = zero
        for j in range(0, m * LANES, LANES):
            store(sums, j, zero)
        for i in range(m):
            row = i * m * LANES
            total = zero
            for j in range(0, m * LANES, LANES):
                y = load(Y, row + j) * load(factors, j)
                store(Y, row + j, y)
                total = total + min_(y, one)
            r = factor(total, slack, i * LANES, done, n)
            moved = max_(moved, abs_(r - one))
            for j in range(0, m * LANES, LANES):
                y = load(Y, row + j)
                store(Y, row + j, y * r)
                store(sums, j, load(sums, j) + min_(y, one) * r)
        for j in range(0, m * LANES, LANES):
            c = factor(load(sums, j), slack, m * LANES + j, done, n)
            moved = max_(moved, abs_(c - one))
            store(factors, j, c)
        done = done | (set_(tolerance) > moved)
        if bits_from_mask(done) == 0xFFFF:
            break
    for i in range(m):
        for j in range(0, m * LANES, LANES):
            k = i * m * LANES + j
            store(Y, k, load(Y, k) * load(factors, j))
    return spent


@kernel
def project_tiles(scores, n, at_most, sharpness, doublings, rounds, tolerance, plans):
    """Write y of (t, m, m) scores to plans; return the rounds done, in tiles.

    The rounds are shared out among the doublings, the last ones getting what is left.
    """
    tiles, m, _ = scores.shape
    Y = np.empty(m * m * LANES)
    slack = np.empty(2 * m * LANES)
    sums = np.empty(m * LANES)
    factors = np.empty(m * LANES)
    spent = 0
    for first in range(0, tiles, LANES):
        count = min(LANES, tiles - first)
        for t in range(LANES):
            s = scores[first + min(t, count - 1)]
            for i in range(m):
                for j in range(m):
                    Y[(i * m + j) * LANES + t] = s[i, j]
        begin_plan(Y, slack, sharpness * 0.5**doublings, at_most, m)
        for stage in range(doublings + 1):
            if stage > 0:
                sharpen(Y, slack, m)
            share = rounds * (stage + 1) // (doublings + 1) - rounds * stage // (doublings + 1)
            spent += count * project(Y, slack, sums, factors, n, m, share, tolerance)
        for t in range(count):
            for i in range(m):
                for j in range(m):
                    plans[first + t, i, j] = Y[(i * m + j) * LANES + t]
    return spent


@kernel
def keep_certain(scores, plan, n, at_most, mask, rows, columns):
    """Keep what the plan keeps whole; return whether that leaves no line overfull."""
    m = len(rows)
    rows[:] = n
    columns[:] = n
    fits = True
    for i in range(m):
        for j in range(m):
            mask[i, j] = plan[i, j] >= 1.0 and not (at_most and scores[i, j] <= 0.0)
            if mask[i, j]:
                rows[i] -= 1
                columns[j] -= 1
                fits = fits and rows[i] >= 0 and columns[j] >= 0
    return fits


@kernel
def keep_band(plan, low, scores, at_most, mask, rows, columns, where, weight):
    """Keep in order of falling plan, down to a low, what both lines have room for.

    One tile. Rows and columns hold the room that is left; at most n keeps positive
    scores only. where and weight are scratch of m * m entries.
    """
    m = len(rows)
    count = 0
    for i in range(m):
        if rows[i] == 0:
            continue
        for j in range(m):
            if columns[j] == 0 or mask[i, j] or plan[i, j] < low:
                continue
            if not (at_most and scores[i, j] <= 0.0):
                where[count] = i * m + j
                weight[count] = -plan[i, j]
                count += 1
    if count == 0:
        return
    for k in np.argsort(weight[:count], kind="mergesort"):
        i, j = divmod(where[k], m)
        if rows[i] > 0 and columns[j] > 0:
            mask[i, j] = True
            rows[i] -= 1
            columns[j] -= 1


@kernel
def round_plans(scores, plans, n, at_most, mask):
    """Keep from heavy to light by plan, while row and column both have room.

    Equal plans go in row-major order; at most n keeps positive scores only. What is kept
    whole needs no sorting unless it overfills a line; the rest is sorted band by band,
    since little room is left for the light ones.
    """
    tiles, m, _ = scores.shape
    rows = np.empty(m, dtype=np.int64)
    columns = np.empty(m, dtype=np.int64)
    where = np.empty(m * m, dtype=np.int64)
    weight = np.empty(m * m)
    for t in range(tiles):
        s, plan, x = scores[t], plans[t], mask[t]
        if not keep_certain(s, plan, n, at_most, x, rows, columns):
            x[:] = False
            rows[:] = n
            columns[:] = n
        for low in BANDS:
            keep_band(plan, low, s, at_most, x, rows, columns, where, weight)
