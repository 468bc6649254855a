r"""What the rounds leave: shortest augmenting paths, one tile to a program, in whole numbers.

Scores are rounded to multiples of :math:`2^{-50}` of the tile's largest, or thereabouts (see
`finish`), and are integers from then on: sums are exact, equal scores stay equal, and no
path is longer or shorter by a rounding. With potentials :math:`u, v` and
:math:`r_{ij} = s_{ij} - u_i - v_j` the state obeys :math:`x_{ij} = 1 \Rightarrow r_{ij} \ge 0`
and :math:`x_{ij} = 0 \Rightarrow r_{ij} \le 0`, as it does when each row takes its n largest
:math:`s_{ij} - v_j`. What is wrong is only that some columns hold too many:

1. Distances from the over-full columns, of length :math:`r_{ij}` from a column to a row that
   holds it and :math:`-r_{ij}` from a row to a column that it lacks, in waves over the whole
   tile until nothing changes that is nearer than the nearest column with room.
2. Potentials move by the distances, the path to that column is flipped; again from 1.

"At most n", and partial tiles, have a ground beside their lines, of potential 0 and room
without end: a row may drop an entry at the price u_i, and a column short of entries at a
price v_j > 0 is filled, or its price brought down to 0, by paths from the ground.

The lowest bits of a distance tell the line it came by: the least of many is found
together with its origin. A tile lies as (RR, CR, RL, CL): row i = rr RL + rl, column
j = cr CL + cl. Triton spreads the last two axes over the threads, the first two over their
registers, so that minima both ways take few shuffles, and within a warp no shared memory.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from masksolve.limits import LARGEST_SCORE
from masksolve.torch.gpu.addresses import address, tile_place
from masksolve.torch.gpu.launching import SIZES, STRIDES, Chunk, on_device

__all__ = ["finish", "finish_sizes"]

FAR = tl.constexpr(1 << 61)
"""Farther than any path; three times this is still an int64."""
CAP = tl.constexpr(2.0**60)
"""Potentials from elsewhere are cut off here, when scores are below 2**51."""
LARGEST = tl.constexpr(LARGEST_SCORE)
LARGEST_SINGLE = tl.constexpr((2.0 - 2.0**-23) * 2.0**127)
ROUNDER = tl.constexpr(1.5 * 2.0**52)
"""Adding it rounds to an integer, which then lies in the lowest bits."""
ROUNDER_BITS = tl.constexpr(0x4338000000000000)


@triton.jit
def _row_min(T):
    """Least of each row."""
    return tl.min(tl.min(T, 1, keep_dims=True), 3, keep_dims=True)


@triton.jit
def _row_max(T):
    """Largest of each row."""
    return tl.max(tl.max(T, 1, keep_dims=True), 3, keep_dims=True)


@triton.jit
def _row_sum(X):
    """How many each row holds."""
    X = X.to(tl.int32)
    return tl.sum(tl.sum(X, 1, keep_dims=True), 3, keep_dims=True)


@triton.jit
def _column_min(T):
    """Least of each column."""
    return tl.min(tl.min(T, 0, keep_dims=True), 2, keep_dims=True)


@triton.jit
def _column_sum(X):
    """How many each column holds."""
    X = X.to(tl.int32)
    return tl.sum(tl.sum(X, 0, keep_dims=True), 2, keep_dims=True)


@triton.jit
def _power_of_two(k):
    """2.0**k for a normal result."""
    return ((k + 1023).to(tl.int64) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _scaled(value, k):
    """Multiply by 2.0**k, in two steps: k may be beyond the exponents of a normal number."""
    return value * _power_of_two(k // 2) * _power_of_two(k - k // 2)


@triton.jit
def _whole(value, BITS: tl.constexpr):
    """Round a value below 2**51 to an integer, and leave BITS bits below it."""
    return ((value + ROUNDER).to(tl.int64, bitcast=True) - ROUNDER_BITS) << BITS


@triton.jit
def _bounded(value, least, most):
    """Bring between bounds; NaN becomes 0."""
    return tl.minimum(tl.maximum(tl.where(value == value, value, 0.0), least), most)


@triton.jit
def _tile_scale(S, PRECISION: tl.constexpr):
    """Return the k that brings the largest size, times 2**k, just below 2**PRECISION."""
    most = tl.max(tl.abs(S)).to(tl.float64)
    tiny = most < 2.0**-1000
    most = most * tl.where(tiny, 2.0**100, 1.0)
    exponent = (most.to(tl.int64, bitcast=True) >> 52).to(tl.int32) - 1022
    return PRECISION - exponent + tl.where(tiny, 100, 0)


@triton.jit
def _length(distance, BITS: tl.constexpr):
    """Strip a distance of the line it came by."""
    return (distance >> BITS) << BITS


@triton.jit
def _take_largest(values, wanted, guess):
    """Mark each row's largest: as many as wanted, whatever the guess of a threshold.

    No two of a row are equal. A good guess saves steps, one for each entry that it is off.
    """
    inside = values > guess
    missing = wanted - _row_sum(inside)
    while tl.max(tl.abs(missing)) > 0:
        take = missing > 0
        # Best of what is outside, or (negative) worst of what is inside.
        candidates = tl.where(inside == take, -2 * FAR, tl.where(take, values, -values))
        chosen = (candidates == _row_max(candidates)) & (missing != 0)
        inside = tl.where(chosen, take, inside)
        missing -= take.to(tl.int32) - (missing < 0).to(tl.int32)
    return inside


@triton.jit
def _to_do(count, v, slack, n: tl.constexpr, GROUND: tl.constexpr):
    """Tell whether a column holds too many, and whether there is anything to do."""
    over = tl.max(count) > n
    more = over
    if GROUND:
        more = over | (slack & (tl.max(tl.where(count < n, v, 0)) > 0))
    return over, more


@triton.jit(do_not_specialize=[*STRIDES, *SIZES])
def _finish(
    W,
    mask,
    w_batch,
    w_row,
    w_column,
    mask_batch,
    mask_row,
    mask_column,
    rows,
    columns,
    tile_rows,
    tile_columns,
    first,
    count,
    U,
    V,
    flags,
    queue,
    queue_length,
    n: tl.constexpr,
    m: tl.constexpr,
    AT_MOST: tl.constexpr,
    GROUND: tl.constexpr,
    MAGNITUDE: tl.constexpr,
    RR: tl.constexpr,
    CR: tl.constexpr,
    RL: tl.constexpr,
    CL: tl.constexpr,
    PRECISION: tl.constexpr,
    BITS: tl.constexpr,
):
    """Solve the tiles queue[p], queue[p + programs], ... of a chunk.

    GROUND: whether lines of some tile may hold fewer than n. The lowest BITS bits hold, of
    a distance, the line before, or P (= RR RL) where a path starts; of a path's end, a
    column, or P and the row that drops an entry.
    """
    P: tl.constexpr = RR * RL
    INDEX: tl.constexpr = (1 << BITS) - 1
    MOST: tl.constexpr = 2.0**PRECISION
    rr = tl.arange(0, RR)[:, None, None, None]
    cr = tl.arange(0, CR)[None, :, None, None]
    i = rr * RL + tl.arange(0, RL)[None, None, :, None]
    j = cr * CL + tl.arange(0, CL)[None, None, None, :]
    for item in range(tl.program_id(0), tl.load(queue_length), tl.num_programs(0)):
        tile = tl.load(queue + item)
        batch, top, left = tile_place(first + tile.to(tl.int64), tile_rows, tile_columns, m)
        slack = AT_MOST | (top + m > rows) | (left + m > columns)
        row_here = (i < m) & (top + i < rows)
        column_here = (j < m) & (left + j < columns)
        here = row_here & column_here

        place = address(W, w_batch, w_row, w_column, batch, top + i, left + j)
        scores = tl.load(place, mask=here, other=0.0)
        if not scores.dtype.is_fp64():
            scores = scores.to(tl.float32)
        fine = tl.abs(scores) <= (LARGEST if scores.dtype.is_fp64() else LARGEST_SINGLE)
        tl.atomic_max(flags, 1, mask=tl.min(fine.to(tl.int32)) == 0, sem="relaxed")
        scores = tl.where(fine, scores, 0.0)
        scale = _tile_scale(scores, PRECISION)
        if MAGNITUDE:
            scores = tl.abs(scores)
        S = tl.where(here, _whole(_scaled(scores.to(tl.float64), scale), BITS), -FAR)

        u_place = U + tile.to(tl.int64) * m + i
        v_place = V + tile.to(tl.int64) * m + j
        # Potentials no larger than the scores; for exactly n, any shift of v is as good.
        limit = _scaled(CAP, -scale)
        v = tl.load(v_place, mask=column_here, other=0.0)
        v = _scaled(_bounded(v, -limit, limit), scale)
        low = tl.min(tl.where(column_here, v, CAP))
        high = tl.max(tl.where(column_here, v, -CAP))
        shift = tl.where(slack, 0.0, 0.5 * low + 0.5 * high)
        v = _bounded(v - shift, tl.where(slack, 0.0, -MOST), MOST)
        v = _whole(tl.where(column_here, v, 0.0), BITS)
        guess = tl.load(u_place, mask=row_here, other=0.0)
        guess = _scaled(_bounded(guess, -limit, limit), scale) + shift
        guess = _whole(_bounded(guess, -2 * MOST, 2 * MOST), BITS)

        # Among equals a row prefers the column next to its diagonal: they spread.
        behind = j - i
        R = S - v + (P - 1 - tl.where(behind < 0, behind + m, behind))
        wanted = tl.where(row_here, n, 0)
        if GROUND:
            guess = tl.where(slack, tl.maximum(guess, INDEX), guess)
            wanted = tl.where(slack, tl.minimum(_row_sum(R > INDEX), n), wanted)
        X = _take_largest(R, wanted, guess)
        u = tl.where(wanted == n, _row_min(tl.where(X, S - v, FAR)), 0)
        held = _column_sum(X)
        r = S - u - v

        over, more = _to_do(held, v, slack, n, GROUND)
        steps = (n + 1) * m
        while more & (steps > 0):
            steps -= 1
            down = tl.where(X, r, FAR)
            up = tl.where(X, FAR, -r)
            far_row = tl.full((RR, 1, RL, 1), FAR, tl.int64)
            far_column = tl.where(held > n, 0, FAR) + P
            ends = held < n
            if GROUND:
                room = _row_sum(X) < n
                far_row = tl.where(over | (room == 0), far_row, P)
                far_column = tl.where(over, far_column, v + P)
                ends = ends & (over | (v > 0))
                drop = tl.where(slack & over, u, FAR) + P + i
            end = tl.full((), FAR, tl.int64)
            nearest = end - FAR
            while nearest < _length(end, BITS):
                found = _row_min(_length(far_column, BITS) + j + down)
                far_row = tl.where(found < _length(far_row, BITS), found, far_row)
                found = _column_min(_length(far_row, BITS) + i + up)
                better = found < _length(far_column, BITS)
                far_column = tl.where(better, found, far_column)
                end = tl.min(tl.where(ends, _length(far_column, BITS) + j, FAR))
                if GROUND:
                    end = tl.minimum(end, tl.min(_length(far_row, BITS) + drop))
                nearest = tl.min(tl.where(better, _length(found, BITS), FAR))

            length = _length(end, BITS)
            fall = tl.maximum(length - _length(far_row, BITS), 0)
            rise = tl.maximum(length - _length(far_column, BITS), 0)
            u -= fall
            v += rise
            r += fall - rise
            if GROUND:
                lift = tl.where(over, 0, length)
                u += lift
                v -= lift

            goal = (end & INDEX).to(tl.int32)
            from_row = (far_row & INDEX).to(tl.int32)
            from_column = (far_column & INDEX).to(tl.int32)
            column = tl.minimum(goal, P)
            row = tl.min(tl.where(j == column, from_column, P))
            if GROUND:
                row = tl.where(goal < P, row, goal - P)
            held += (j == column).to(tl.int32)
            while row < P:
                giver = tl.min(tl.where(i == row, from_row, P))
                X = X ^ ((i == row) & ((j == column) | (j == giver)))
                column = giver
                row = tl.min(tl.where(j == column, from_column, P))
            held -= (j == column).to(tl.int32)

            over, more = _to_do(held, v, slack, n, GROUND)

        tl.atomic_add(flags + 1, 1, mask=more, sem="relaxed")
        place = address(mask, mask_batch, mask_row, mask_column, batch, top + i, left + j)
        tl.store(place, X, mask=here)
        tl.store(u_place, _scaled((u >> BITS).to(tl.float64), -scale), mask=i < m)
        tl.store(v_place, _scaled((v >> BITS).to(tl.float64), -scale), mask=j < m)


@cache
def _programs(device: torch.device) -> int:
    """Choose how many tiles are worked on at a time."""
    if device.type == "cpu":
        return 4  # interpreted, one after the other
    return 256 * int(torch.cuda.get_device_properties(device).multi_processor_count)


def finish_sizes(m: int) -> tuple[dict[str, int], dict[str, int]]:
    """Choose how a tile lies on the threads: the kernel's constants, and compiler options."""
    size = max(2, triton.next_power_of_2(m))
    warps = {32: 4, 64: 16}.get(size, 1)
    across = max(min(size, 8), size // 2)
    down = min(size, 32 * warps // across)
    bits = size.bit_length()
    # No path that matters is longer than 24 of the largest score: below 2**60, and so FAR.
    precision = min(50, 55 - bits)
    return (
        {
            "RR": size // down,
            "CR": size // across,
            "RL": down,
            "CL": across,
            "PRECISION": precision,
            "BITS": bits,
        },
        {"num_warps": warps, "maxnreg": 128, "enable_fp_fusion": False},
    )


def finish(chunk: Chunk, queue: Tensor, queue_length: Tensor) -> None:
    """Solve the tiles that are listed, from any column potentials, to optimality.

    Of scores as they are after rounding to multiples of 2**-49 of the tile's largest, or less
    (m > 16: 2**-48, m > 32: 2**-47). That is exact for all but tiny entries of a single
    precision tile, and moves a float64's objective by less than a proof allows.

    Parameters
    ----------
    chunk : Chunk
        Its mask is written where the tiles lie. The potentials that a tile has when it comes,
        good or bad, decide how long it takes; the mask depends on the columns' alone. Optimal
        ones are written. Scores that are flagged count as 0; flags[1] counts the tiles that
        could not be solved: none, if all is well.
    queue, queue_length : Tensor of int32, (count,) and (1,)
        The tiles to solve, counted from the chunk's first, and how many there are.
    """
    tiling = chunk.tiling
    sizes, options = finish_sizes(tiling.m)
    partial = tiling.rows % tiling.m > 0 or tiling.columns % tiling.m > 0
    programs = max(1, min(queue.numel(), _programs(chunk.weights.device)))
    with on_device(chunk.weights):
        _finish[(programs,)](
            *chunk.arguments,
            queue,
            queue_length,
            GROUND=chunk.at_most or partial,
            **chunk.constants,
            **sizes,
            **options,
        )
