r"""The proof on the device: weak duality in float64, one tile at a time.

What `masksolve.certificate` computes in NumPy, from the weights, the mask and the potentials
alone, whoever found them: the distance from the mask's score to the dual bound,

.. math::

    \sum_{x_{ij}=1} \max(0, -r_{ij}) + \sum_{x_{ij}=0} \max(0, r_{ij})
    + \sum_i u_i (n - x_{i\cdot}) + \sum_j v_j (n - x_{\cdot j}),
    \qquad r_{ij} = s_{ij} - u_i - v_j .

Nothing here is shared with the kernels that solve but where a tile lies. A program takes some
tiles that lie side by side, row by row, so that it reads whole lines of memory.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from masksolve.torch.gpu.addresses import address, tile_place
from masksolve.torch.gpu.launching import SIZES, STRIDES, Chunk, on_device

__all__ = ["certificate_sizes", "certify"]

TOLERANCE = tl.constexpr(1e-12)
"""A tile is proven when its gap is at most this share of its score."""
GUARD = tl.constexpr(8.0)
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = tl.constexpr(2.0**-52)
LARGEST_SCORE = tl.constexpr(2.0**960)
"""Scores beyond this overflow when summed, and potentials prove nothing."""


@triton.jit
def _potentials(given, slack):
    """Negative potentials count as 0 where lines may hold fewer."""
    return tl.where(slack & (given < 0.0), 0.0, given)


@triton.jit(do_not_specialize=[*STRIDES, *SIZES])
def _certify(
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
    kept_out,
    gap_out,
    n: tl.constexpr,
    m: tl.constexpr,
    AT_MOST: tl.constexpr,
    MAGNITUDE: tl.constexpr,
    TILES: tl.constexpr,
    P: tl.constexpr,
):
    """Judge TILES tiles: element (t, j) of every block is column j of the t-th of them."""
    local = tl.program_id(0) * TILES + tl.arange(0, TILES)[:, None]
    j = tl.arange(0, P)[None, :]
    exists = local < count
    batch, top, left = tile_place(first + local.to(tl.int64), tile_rows, tile_columns, m)
    height = tl.minimum(rows - top, m)
    width = tl.minimum(columns - left, m)
    slack = AT_MOST | (height < m) | (width < m)
    here = exists & (j < width)
    w_place = address(W, w_batch, w_row, w_column, batch, top, left + j)
    mask_place = address(mask, mask_batch, mask_row, mask_column, batch, top, left + j)
    lines = local.to(tl.int64) * m
    u = tl.load(U + lines + j, mask=exists & (j < height), other=0.0)
    v = tl.load(V + lines + j, mask=here, other=0.0)
    high = tl.max(tl.abs(u), 1, keep_dims=True) + tl.max(tl.abs(v), 1, keep_dims=True)
    fine = (tl.abs(u) <= LARGEST_SCORE) & (tl.abs(v) <= LARGEST_SCORE)  # NaN is not
    usable = tl.min(fine.to(tl.int32), 1, keep_dims=True) > 0
    v = _potentials(tl.where(usable, v, 0.0), slack)

    kept = tl.zeros((TILES, P), tl.float64)
    size = kept
    most = kept
    gap = kept
    finite = tl.full((TILES, P), 1, tl.int1)
    row_count = tl.zeros((TILES, P), tl.int32)
    column_count = row_count
    for i in tl.range(m, loop_unroll_factor=4):  # many loads on their way at a time
        inside = here & (i < height)
        s = tl.load(w_place + i * w_row, mask=inside, other=0.0).to(tl.float64)
        x = tl.load(mask_place + i * mask_row, mask=inside, other=0) != 0
        u_i = tl.load(U + lines + i + 0 * j, mask=inside & usable, other=0.0)
        finite = finite & (tl.abs(s) <= LARGEST_SCORE)
        s = tl.where(tl.abs(s) <= LARGEST_SCORE, s, 0.0)
        if MAGNITUDE:
            s = tl.abs(s)
        else:
            size += tl.where(x, tl.abs(s), 0.0)
        # For rows beyond a partial tile r is -v, which adds nothing.
        r = s - _potentials(u_i, slack) - v
        gap += tl.maximum(tl.where(x, -r, r), 0.0)
        kept += tl.where(x, s, 0.0)
        most = tl.maximum(most, tl.abs(s))
        holds = x.to(tl.int32)
        column_count += holds
        row_count = tl.where(j == i, tl.sum(holds, 1, keep_dims=True), row_count)
    if MAGNITUDE:
        size = kept
    u = _potentials(tl.where(usable, u, 0.0), slack)
    gap += u * (n - row_count) + v * (n - column_count)
    fine = fine & finite
    fine = fine & ((row_count == n) | (slack & (row_count < n)) | (j >= height))
    fine = fine & ((column_count == n) | (slack & (column_count < n)) | (j >= width))
    tl.atomic_max(flags + tl.zeros((TILES, P), tl.int32), 1, mask=finite == 0, sem="relaxed")

    gap = tl.sum(gap, 1, keep_dims=True)
    kept = tl.sum(kept, 1, keep_dims=True)
    size = tl.sum(size, 1, keep_dims=True)
    most = tl.max(most, 1, keep_dims=True)
    fine = tl.min(fine.to(tl.int32), 1, keep_dims=True) > 0
    gap += tl.where(high > GUARD * most, EPSILON * (height * width) * high, 0.0)
    gap = tl.where(fine, gap, float("inf"))
    proven = fine & (gap <= TOLERANCE * tl.maximum(size, most))
    tl.store(kept_out + local, kept, mask=exists)
    tl.store(gap_out + local, gap, mask=exists)
    tl.atomic_add(flags + 1 + local * 0, 1, mask=exists & (proven == 0), sem="relaxed")


def certificate_sizes(m: int) -> tuple[dict[str, int], dict[str, int]]:
    """Choose the tiles of a program: the kernel's constants, and compiler options."""
    size = triton.next_power_of_2(m)
    warps = 4 if size <= 32 else 1  # a row is never shared by warps: no barriers
    sizes = {"TILES": max(1, 32 * warps // size), "P": size}
    return sizes, {"num_warps": warps, "enable_fp_fusion": False}


def certify(chunk: Chunk, kept: Tensor, gaps: Tensor) -> None:
    """Judge the tiles of a chunk: any mask, by any potentials.

    Parameters
    ----------
    chunk : Chunk
        Where lines may hold fewer than n negative potentials count as 0. flags[1] is raised
        by the tiles whose gap is more than 1e-12 of their score.
    kept, gaps : Tensor of float64, (count,)
        Written: the score that a tile's mask keeps, and how far below the dual bound that
        is; infinite where a line holds too many or too few, or nothing is proven.
    """
    sizes, options = certificate_sizes(chunk.tiling.m)
    with on_device(chunk.weights):
        _certify[(triton.cdiv(chunk.count, sizes["TILES"]),)](
            *chunk.arguments, kept, gaps, **chunk.constants, **sizes, **options
        )
