"""Over-relaxed rounds on the device: a line of a tile to a thread, all in registers.

Every thread holds one row and one column of its tile. A half round is a selection network
over the line that it holds, less the potentials of the lines across, which its neighbours in
the warp hand over by shuffles: nothing goes through memory, nobody waits at a barrier. A tile
is done when x = [s > u + v] fills every line, each comparison by more than its rounding.
What is not done in time, and every partial tile, is left for the augmenting paths.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from masksolve.torch.gpu.addresses import address, tile_place
from masksolve.torch.gpu.bisection import bisect_rounds
from masksolve.torch.gpu.launching import SIZES, Chunk, on_device
from masksolve.torch.gpu.networks import selection_program
from masksolve.torch.gpu.scaling import HUGE, SLACK, TINY, power_of_two
from masksolve.torch.gpu.schedule import schedule

__all__ = ["constants", "kernel", "run_rounds"]

WARP = 32
LONGEST = 32
"""Longer lines do not fit into registers; see `masksolve.torch.gpu.bisection`."""
CHECKS = 6
"""How many times tiles are looked at before the paths take over."""


@triton.jit
def _across(potentials, line: tl.constexpr):
    """Hand every line of a tile the potential of one line across."""
    where = tl.full(potentials.shape, line, tl.int32)
    return tl.gather(potentials, where, 1)


@triton.jit
def _half_round(lines, potentials, m: tl.constexpr, NETWORK: tl.constexpr):
    """Return potentials of lines that minimise the dual, given those of the lines across.

    Halfway between the n-th and the (n+1)-th largest of every line, by a selection network.
    """
    values = ()
    for k in tl.static_range(m):
        values = values + (lines[k] - _across(potentials, k),)
    for k in tl.static_range(len(NETWORK[0])):
        a = values[NETWORK[0][k][0]]
        b = values[NETWORK[0][k][1]]
        if NETWORK[0][k][2]:
            values = values + (tl.maximum(a, b),)
        if NETWORK[0][k][3]:
            values = values + (tl.minimum(a, b),)
    return 0.5 * (values[NETWORK[1]] + values[NETWORK[2]])


@triton.jit
def _fits(lines, mine, potentials, n: tl.constexpr, m: tl.constexpr, AT_MOST: tl.constexpr):
    """Tell of every line whether exactly what it keeps is proven to be in the optimum."""
    count = tl.zeros(mine.shape, tl.int32)
    sure = mine == mine
    for k in tl.static_range(m):
        threshold = mine + _across(potentials, k)
        distance = lines[k] - threshold
        count += (distance > 0.0).to(tl.int32)
        # The threshold and a double's entry are off by less: |entry| <= |threshold| + distance.
        sure = sure & (tl.abs(distance) > SLACK * tl.abs(threshold) + TINY)
    full = count == n
    if AT_MOST:
        full = (full | ((count < n) & (mine == 0.0))) & (mine >= 0.0)
    return sure & full


@triton.jit
def _shift(u, v, inside):
    """Choose c so that no u + c and no v - c is negative, or all are as little as can be.

    The dual of exactly n is the same for every c; that of at most n wants no negative ones.
    """
    least_u = tl.min(tl.where(inside, u, HUGE), 1, keep_dims=True)
    least_v = tl.min(tl.where(inside, v, HUGE), 1, keep_dims=True)
    nearest = tl.minimum(tl.maximum(0.0, -least_u), least_v)
    return tl.where(least_u + least_v >= 0.0, nearest, 0.5 * (least_v - least_u))


@triton.jit
def _all_lines(flags, inside):
    """Tell of every tile whether all of its lines say yes."""
    return tl.min(tl.where(inside, flags.to(tl.int32), 1), 1, keep_dims=True) > 0


@triton.jit(do_not_specialize=SIZES)
def kernel(
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
    start,
    n: tl.constexpr,
    m: tl.constexpr,
    NETWORK: tl.constexpr,
    ROUNDS: tl.constexpr,
    RELAX: tl.constexpr,
    MAGNITUDE: tl.constexpr,
    AT_MOST: tl.constexpr,
    WARM: tl.constexpr,
    DOUBLE: tl.constexpr,
    TILES: tl.constexpr,
    LINES: tl.constexpr,
    CHECKED: tl.constexpr,
):
    """Solve TILES tiles: element (t, i) of every block is line i of the t-th of them."""
    local = tl.program_id(0) * TILES + tl.arange(0, TILES)[:, None]
    line = tl.arange(0, LINES)[None, :]
    exists = local < count
    batch, top, left = tile_place(first + local.to(tl.int64), tile_rows, tile_columns, m)
    whole = exists & (top + m <= rows) & (left + m <= columns)
    inside = whole & (line < m)
    # Lines may lie far apart: no product of a stride is to overflow.
    wide = tl.zeros((1, 1), tl.int64)
    step_r, step_c = w_row + wide, w_column + wide
    corner = address(W, w_batch, step_r, step_c, batch, top, left)

    by_rows = ()
    by_columns = ()
    for k in tl.static_range(m):
        by_rows = by_rows + (tl.load(corner + line * step_r + k * step_c, mask=inside, other=0.0),)
        by_columns = by_columns + (
            tl.load(corner + k * step_r + line * step_c, mask=inside, other=0.0),
        )
    if DOUBLE:
        largest = tl.zeros((TILES, LINES), tl.float64)
    else:
        largest = tl.zeros((TILES, LINES), tl.float32)
    good = line >= 0
    for k in tl.static_range(m):
        size = tl.abs(by_rows[k]).to(largest.dtype)
        good = good & (size < float("inf"))  # false for NaN
        largest = tl.maximum(largest, size)
    good = _all_lines(good, inside)
    largest = tl.max(largest, 1, keep_dims=True)
    power = power_of_two(largest, DOUBLE)
    scores = ()
    across_scores = ()
    for k in tl.static_range(m):
        a = (by_rows[k].to(largest.dtype) * power).to(tl.float32)
        b = (by_columns[k].to(largest.dtype) * power).to(tl.float32)
        if MAGNITUDE:
            a = tl.abs(a)
            b = tl.abs(b)
        scores = scores + (a,)
        across_scores = across_scores + (b,)

    place = local * m + line
    u = tl.zeros((TILES, LINES), tl.float32)
    v = u
    floor = -HUGE
    rounds = ROUNDS + 1
    relax = 1.0
    if WARM:
        v = (tl.load(start + place, mask=inside, other=0.0) * power).to(tl.float32)
        if AT_MOST:
            floor = 0.0
            v = tl.maximum(v, 0.0)
        rounds = 1
        relax = RELAX
    pull = 0.0  # u comes first: v has its start
    open_ = inside & good
    proven = exists & (local < 0)
    check = 0
    while (check < CHECKED) & (tl.max((open_ & (proven == 0)).to(tl.int32)) > 0):
        for turn in range(rounds):
            move = v + pull * (_half_round(across_scores, u, m, NETWORK) - v)
            if AT_MOST:
                move = tl.maximum(move, floor)
            v = tl.where(proven, v, move)
            last = (turn == rounds - 1) | (turn + check == 0)
            move = u + tl.where(last, 1.0, RELAX) * (_half_round(scores, v, m, NETWORK) - u)
            if AT_MOST:
                move = tl.maximum(move, floor)
            u = tl.where(proven, u, move)
            pull = relax  # the first of a cold start is not relaxed
            relax = RELAX
        if AT_MOST:
            if not WARM:
                if check == 0:
                    shift = _shift(u, v, inside)
                    u = tl.maximum(u + shift, 0.0)
                    v = tl.maximum(v - shift, 0.0)
            floor = 0.0
        fine = _fits(scores, u, v, n, m, AT_MOST) & _fits(across_scores, v, u, n, m, AT_MOST)
        proven = proven | (_all_lines(fine, inside) & whole & good)
        rounds = (ROUNDS + 1) // 2
        check += 1
    tl.store(U + place, u.to(tl.float64) / power.to(tl.float64), mask=inside)
    tl.store(V + place, v.to(tl.float64) / power.to(tl.float64), mask=inside)
    lines_left = exists & (line < m) & (inside == 0)
    tl.store(U + place, tl.zeros((TILES, LINES), tl.float64), mask=lines_left)
    tl.store(V + place, tl.zeros((TILES, LINES), tl.float64), mask=lines_left)
    step_r, step_c = mask_row + wide, mask_column + wide
    corner = address(mask, mask_batch, step_r, step_c, batch, top, left)
    for k in tl.static_range(m):
        keep = across_scores[k] > v + _across(u, k)
        tl.store(corner + k * step_r + line * step_c, keep, mask=inside & proven)
    missed = exists & good & (proven == 0)
    # One addition for all of a warp's tiles: they would queue up at the counter.
    one = missed.to(tl.int32)
    several = tl.sum(one, 0, keep_dims=True)
    counter = queue_length + tl.zeros((1, 1), tl.int32)
    place = (
        tl.atomic_add(counter, several, mask=several > 0, sem="relaxed") + tl.cumsum(one, 0) - one
    )
    tl.store(queue + place, local, mask=missed)
    tl.atomic_max(
        flags + tl.zeros((TILES, 1), tl.int32), 1, mask=exists & (good == 0), sem="relaxed"
    )


def run_rounds(
    chunk: Chunk, queue: Tensor, queue_length: Tensor, start: Tensor | None = None
) -> None:
    """Solve the tiles of a chunk, and list those that are not proven.

    Parameters
    ----------
    chunk : Chunk
        Its mask is written where tiles are proven, its potentials everywhere (zeros for
        partial tiles). A tile with a score that is not finite is flagged and not listed.
    queue : Tensor of int32, (count,)
        Gets the numbers, counted from the chunk's first, of the tiles that are left.
    queue_length : Tensor of int32, (1,)
        Zero before; how many are left after.
    start : Tensor of float64, (count, m), optional
        Column potentials to begin with.
    """
    m = chunk.tiling.m
    places = (
        *chunk.arguments,
        queue,
        queue_length,
        chunk.column_potentials if start is None else start,
    )
    known = constants(
        chunk.n,
        m,
        magnitude=chunk.magnitude,
        at_most=chunk.at_most,
        warm=start is not None,
        double=chunk.weights.element_size() == 8,
    )
    with on_device(chunk.weights):
        if m <= LONGEST:
            programs = triton.cdiv(chunk.count, known["TILES"])
            kernel[(programs,)](*places, **known, num_warps=1, enable_fp_fusion=False)
        else:
            bisect_rounds[(chunk.count,)](*places, **known, num_warps=4, enable_fp_fusion=False)


def constants(
    n: int, m: int, *, magnitude: bool, at_most: bool, warm: bool, double: bool
) -> dict[str, Any]:
    """Return what is known when a kernel is compiled: a kernel for each such set."""
    rounds, relax = schedule(m)
    lines = triton.next_power_of_2(m)
    known = {
        "n": n,
        "m": m,
        "ROUNDS": rounds,
        "RELAX": relax,
        "MAGNITUDE": magnitude,
        "AT_MOST": at_most,
        "WARM": warm,
        "DOUBLE": double,
        "LINES": lines,
        "CHECKED": CHECKS,
    }
    if m <= LONGEST:
        known |= {"NETWORK": selection_program(n, m), "TILES": WARP // lines}
    return known
