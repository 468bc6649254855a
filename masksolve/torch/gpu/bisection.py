"""The rounds for tiles too large for registers of one warp: a tile to a program.

As in `masksolve.torch.gpu.rounds`, with bisection in place of selection networks, which
take minutes to compile for lines of more than 32.
"""

from __future__ import annotations

import triton
import triton.language as tl

from masksolve.torch.gpu.addresses import address, tile_place
from masksolve.torch.gpu.launching import SIZES
from masksolve.torch.gpu.scaling import HUGE, SLACK, TINY, power_of_two

__all__ = ["bisect_rounds"]

STEPS = tl.constexpr(24)


@triton.jit
def _middle(values, inside, n: tl.constexpr, AXIS: tl.constexpr):
    """Return the middle between the n-th and the (n+1)-th largest along an axis."""
    low = tl.min(tl.where(inside, values, HUGE), AXIS, keep_dims=True)
    high = tl.max(tl.where(inside, values, -HUGE), AXIS, keep_dims=True)
    lines = tl.max(inside.to(tl.int32), AXIS, keep_dims=True) > 0
    above = tl.zeros(low.shape, tl.int32) - 1
    step = 0
    while (step < STEPS) & (tl.max((lines & (above != n)).to(tl.int32)) > 0):
        middle = 0.5 * (low + high)
        above = tl.sum((inside & (values > middle)).to(tl.int32), AXIS, keep_dims=True)
        low = tl.where(above >= n, middle, low)
        high = tl.where(above <= n, middle, high)
        step += 1
    middle = 0.5 * (low + high)
    upper = inside & (values > middle)
    nth = tl.min(tl.where(upper, values, HUGE), AXIS, keep_dims=True)
    following = tl.max(tl.where(inside & (upper == 0), values, -HUGE), AXIS, keep_dims=True)
    found = (nth < HUGE) & (following > -HUGE)
    return tl.where(found, 0.5 * (nth + following), middle)


@triton.jit
def _all_of_tile(flags):
    """Tell whether all entries of a tile say yes."""
    return tl.min(tl.min(flags.to(tl.int32), 1, keep_dims=True), 0, keep_dims=True) > 0


@triton.jit(do_not_specialize=SIZES)
def bisect_rounds(
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
    ROUNDS: tl.constexpr,
    RELAX: tl.constexpr,
    MAGNITUDE: tl.constexpr,
    AT_MOST: tl.constexpr,
    WARM: tl.constexpr,
    DOUBLE: tl.constexpr,
    LINES: tl.constexpr,
    CHECKED: tl.constexpr,
):
    """Solve a tile; the arguments are those of the kernel in `masksolve.torch.gpu.rounds`."""
    local = tl.program_id(0) + tl.zeros((1, 1), tl.int32)
    batch, top, left = tile_place(first + local.to(tl.int64), tile_rows, tile_columns, m)
    whole = (top + m <= rows) & (left + m <= columns)
    i = tl.arange(0, LINES)[:, None].to(tl.int64)
    j = tl.arange(0, LINES)[None, :].to(tl.int64)
    inside = (i < m) & (j < m)
    corner = address(W, w_batch, w_row, w_column, batch, top, left)
    entries = tl.load(corner + i * w_row + j * w_column, mask=inside & whole, other=0.0)
    sizes = tl.abs(entries.to(tl.float64) if DOUBLE else entries.to(tl.float32))
    good = _all_of_tile(sizes < float("inf"))  # false for NaN
    largest = tl.max(tl.max(sizes, 1, keep_dims=True), 0, keep_dims=True)
    power = power_of_two(largest, DOUBLE)
    scores = (entries.to(power.dtype) * power).to(tl.float32)
    if MAGNITUDE:
        scores = tl.abs(scores)

    u = tl.zeros((LINES, 1), tl.float32)
    v = tl.zeros((1, LINES), tl.float32)
    floor = -HUGE
    rounds = ROUNDS + 1
    relax = 1.0
    if WARM:
        v = tl.load(start + local * m + j, mask=(j < m) & whole, other=0.0)
        v = (v * power).to(tl.float32)
        if AT_MOST:
            floor = 0.0
            v = tl.maximum(v, 0.0)
        rounds = 1
        relax = RELAX
    pull = 0.0
    kept = scores > HUGE
    proven = local < 0
    check = 0
    while (check < CHECKED) & (tl.max((whole & good & (proven == 0)).to(tl.int32)) > 0):
        for turn in range(rounds):
            v = v + pull * (_middle(scores - u, inside, n, 0) - v)
            if AT_MOST:
                v = tl.maximum(v, floor)
            last = (turn == rounds - 1) | (turn + check == 0)
            u = u + tl.where(last, 1.0, RELAX) * (_middle(scores - v, inside, n, 1) - u)
            if AT_MOST:
                u = tl.maximum(u, floor)
            pull = relax
            relax = RELAX
        if AT_MOST:
            if not WARM:
                if check == 0:
                    least_u = tl.min(tl.where(i < m, u, HUGE))
                    least_v = tl.min(tl.where(j < m, v, HUGE))
                    shift = tl.minimum(tl.maximum(0.0, -least_u), least_v)
                    none = least_u + least_v < 0.0
                    shift = tl.where(none, 0.5 * (least_v - least_u), shift)
                    u = tl.maximum(u + shift, 0.0)
                    v = tl.maximum(v - shift, 0.0)
            floor = 0.0
        threshold = u + v
        distance = scores - threshold
        sure = (inside == 0) | (tl.abs(distance) > SLACK * tl.abs(threshold) + TINY)
        kept = inside & (distance > 0.0)
        by_row = tl.sum(kept.to(tl.int32), 1, keep_dims=True)
        by_column = tl.sum(kept.to(tl.int32), 0, keep_dims=True)
        if AT_MOST:
            full_rows = (by_row == n) | ((by_row < n) & (u == 0.0))
            full_columns = (by_column == n) | ((by_column < n) & (v == 0.0))
        else:
            full_rows = by_row == n
            full_columns = by_column == n
        fits = sure & (full_rows | (i >= m)) & (full_columns | (j >= m))
        proven = _all_of_tile(fits)
        rounds = (ROUNDS + 1) // 2
        check += 1
    scale = 1.0 / power.to(tl.float64)
    tl.store(U + local * m + i, u.to(tl.float64) * scale, mask=i < m)
    tl.store(V + local * m + j, v.to(tl.float64) * scale, mask=j < m)
    corner = address(mask, mask_batch, mask_row, mask_column, batch, top, left)
    tl.store(corner + i * mask_row + j * mask_column, kept, mask=inside & proven)
    missed = good & (proven == 0)
    where = tl.atomic_add(queue_length + tl.zeros((1, 1), tl.int32), 1, mask=missed, sem="relaxed")
    tl.store(queue + where, local, mask=missed)
    tl.atomic_max(flags + tl.zeros((1, 1), tl.int32), 1, mask=good == 0, sem="relaxed")
