"""Entropic transport, its rounding and the filling of short lines: one kernel, in Triton.

The arithmetic is that of `masksolve.kernels.entropic` and `masksolve.kernels.repair`, which
say why; here a tile stays in registers from its scores to its mask. It is the rival that `exact` is
timed against on a device, so written as well as can be.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from masksolve.torch.batched.repair import ROUNDING
from masksolve.torch.batched.transport import precise_enough, range_of
from masksolve.torch.gpu.fused.greedy import keep_heaviest
from masksolve.torch.gpu.fused.launch import launch
from masksolve.torch.gpu.fused.lines import across, down, load_tiles, places

__all__ = ["entropic"]


@triton.jit
def _largest(values):
    """Return the largest of every tile."""
    return tl.max(tl.max(values, 1, keep_dims=True), 0, keep_dims=True)


@triton.jit
def _begin(s, inside, sharpness, LIMIT: tl.constexpr, AT_MOST: tl.constexpr):
    """Turn scores into y: relative to the largest magnitude, and to the row's largest."""
    size = _largest(tl.abs(s))
    size = tl.where(size > 0.0, size, 1.0)
    exponent = s / size
    if not AT_MOST:
        exponent -= tl.max(tl.where(inside, s, -float("inf")), 1, keep_dims=True) / size
    exponent = tl.where(inside & (exponent == exponent), sharpness * exponent, 0.0)
    y = tl.exp(tl.minimum(tl.maximum(exponent, -LIMIT), LIMIT))
    return tl.where(inside, y, 0.0)


@triton.jit
def _factor(total, slack, frozen, n):
    """Return what lines are multiplied by: 1 where they are empty or their tile is done."""
    r = tl.minimum(slack, n / tl.where(total > 0.0, total, n))
    return tl.where(frozen, 1.0, r)


@triton.jit
def _project(y, row_slack, column_slack, n, rounds, tolerance):
    """Do rounds until no factor is further from 1 than the tolerance."""
    done = _largest(y) < 0.0
    k = 0
    going = 1
    while (k < rounds) & (going > 0):
        x = tl.minimum(y, 1.0)
        r = _factor(tl.sum(x, 1, keep_dims=True), row_slack, done, n)
        row_slack = row_slack / r
        y = y * r
        c = _factor(tl.sum(x * r, 0, keep_dims=True), column_slack, done, n)
        column_slack = column_slack / c
        y = y * c
        moved = tl.maximum(_largest(tl.abs(r - 1.0)), _largest(tl.abs(c - 1.0)))
        done = done | (moved < tolerance)
        k += 1
        going = tl.max((done == 0).to(tl.int32))
    return y, row_slack, column_slack


@triton.jit
def _at(values, i, row):
    """Return one row of every tile, by its number."""
    return tl.sum(tl.where(i == row, values, 0.0), 0, keep_dims=True)


@triton.jit
def _fill(s, x, i, j, inside, n, LEAST: tl.constexpr, AT_MOST: tl.constexpr):
    """Fill short lines by the best addition or else exchange, one a tile and step.

    The best exchange for a row a and a column b adds the best short column to a and the best
    short row to b: so one look at every (a, b) finds the best of all.
    """
    none = -float("inf")
    kept = x.to(tl.int32)
    rows = tl.max(inside.to(tl.int32), 1, keep_dims=True) * (n - tl.sum(kept, 1, keep_dims=True))
    columns = tl.max(inside.to(tl.int32), 0, keep_dims=True) * (n - tl.sum(kept, 0, keep_dims=True))
    short = tl.sum(rows, 0, keep_dims=True)
    takes = inside
    least = _largest(tl.abs(s)) * LEAST
    if AT_MOST:
        takes = takes & (s > 0.0)
    else:
        least += none
    while tl.max(short) > 0:
        free = takes & (x == 0)
        met = tl.where(free & (rows > 0) & (columns > 0) & (s > least), s, none)
        best, met_column = across(met)
        best, met_row = down(best)
        added, short_column = across(tl.where(free & (columns > 0), s, none))
        given, _ = down(tl.where(free & (rows > 0), s, none))
        gain = tl.where(x, (given + added) - s, none)
        most, a = down(tl.max(gain, 1, keep_dims=True))
        chosen = i == a
        crossed = _at(s, i, a)
        extra = tl.sum(tl.where(chosen, added, 0.0), 0, keep_dims=True)
        able = free & (rows > 0) & (_at(kept, i, a) > 0)
        most_of_row, b = across(tl.where(able, (s + extra) - crossed, none))
        _, i_given = down(most_of_row)
        exchange = (short > 0) & (best <= none) & (most > least)
        direct = (short > 0) & (best > none)
        row = tl.where(direct, met_row, i_given)
        first = tl.sum(tl.where(i == row, tl.where(direct, met_column, b), 0), 0, keep_dims=True)
        filled = tl.sum(tl.where(chosen, short_column, 0), 0, keep_dims=True)
        x = x | ((direct | exchange) & (i == row) & (j == first))
        x = x | (exchange & chosen & (j == filled))
        x = x & ((exchange & chosen & (j == first)) == 0)
        kept = x.to(tl.int32)
        moved = direct | exchange
        rows -= (moved & (i == row)).to(tl.int32)
        columns -= (moved & (j == tl.where(direct, first, filled))).to(tl.int32)
        short = tl.where(moved, short - 1, 0)
    return x


@triton.jit
def entropic_kernel(
    scores,
    mask,
    tiles,
    n,
    sharpness,
    doublings,
    rounds,
    tolerance,
    LIMIT: tl.constexpr,
    LARGEST: tl.constexpr,
    LEAST: tl.constexpr,
    AT_MOST: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    T: tl.constexpr,
):
    """Solve T tiles, beginning at a sharpness that is doubled on the way."""
    i, j, offsets, inside = places(tiles, H, W, PH, PW, T)
    s = load_tiles(scores, offsets, inside)
    y = _begin(s, inside, sharpness, LIMIT, AT_MOST)
    row_slack = tl.max(y, 1, keep_dims=True) * 0.0 + 1.0
    column_slack = tl.max(y, 0, keep_dims=True) * 0.0 + 1.0
    if not AT_MOST:
        row_slack = row_slack * float("inf")
        column_slack = column_slack * float("inf")
    for stage in range(doublings + 1):
        if stage > 0:
            y = tl.minimum(y, LARGEST)
            y = y * y
            row_slack = row_slack * row_slack
            column_slack = column_slack * column_slack
        share = rounds * (stage + 1) // (doublings + 1) - rounds * stage // (doublings + 1)
        y, row_slack, column_slack = _project(y, row_slack, column_slack, n, share, tolerance)
    s = load_tiles(scores, offsets, inside)
    takes = inside
    if AT_MOST:
        takes = takes & (s > 0.0)
    x = keep_heaviest(y, takes, i, j, n)
    if tl.max((tl.sum(x.to(tl.int32), 1, keep_dims=True) < n).to(tl.int32)) > 0:
        x = _fill(s, x, i, j, inside, n, LEAST, AT_MOST)
    tl.store(mask + offsets, x, mask=inside)


def entropic(
    scores: Tensor,
    n: int,
    at_most: bool,
    *,
    sharpness: float,
    doublings: int,
    rounds: int,
    tolerance: float,
) -> Tensor:
    """Do as `masksolve.torch.batched.entropic.entropic`."""
    scores = precise_enough(scores, sharpness, doublings)
    begin, (limit, largest) = sharpness * 0.5**doublings, range_of(scores.dtype)
    least = ROUNDING[scores.dtype]
    given = (begin, doublings, rounds, tolerance, limit, largest, least, at_most)
    return launch(entropic_kernel, scores, n, *given)
