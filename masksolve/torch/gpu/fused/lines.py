"""Blocks of tiles in registers, and the n largest of each of their lines, in Triton.

A block has the shape (rows, columns, tiles). The compiler gives neighbouring threads
different tiles, or different rows of large ones, so that lines are added up and compared
with few words between threads or none.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from masksolve.torch.gpu.fused.launch import launch

__all__ = ["across", "down", "load_tiles", "places", "select", "two_approx"]


@triton.jit
def places(
    tiles, H: tl.constexpr, W: tl.constexpr, PH: tl.constexpr, PW: tl.constexpr, T: tl.constexpr
):
    """Return the block's row and column numbers, its offsets, and what of it is there."""
    i = tl.arange(0, PH)[:, None, None]
    j = tl.arange(0, PW)[None, :, None]
    t = tl.program_id(0).to(tl.int64) * T + tl.arange(0, T)[None, None, :]
    inside = (t < tiles) & (i >= 0) & (j >= 0)
    if H < PH:
        inside = inside & (i < H)
    if W < PW:
        inside = inside & (j < W)
    return i, j, t * (H * W) + i * W + j, inside


@triton.jit
def load_tiles(scores, offsets, inside):
    """Load scores; those that are not finite, of which the caller hears aside, as 0."""
    s = tl.load(scores + offsets, mask=inside, other=0.0)
    return tl.where(tl.abs(s) < float("inf"), s, 0.0)


@triton.jit
def across(values):
    """Return the largest of every row, and the first column that has it."""
    return tl.max(values, 1, return_indices=True, keep_dims=True)


@triton.jit
def down(values):
    """Return the largest of every column, and the first row that has it."""
    return tl.max(values, 0, return_indices=True, keep_dims=True)


@triton.jit
def select_kernel(
    scores,
    mask,
    tiles,
    n,
    AT_MOST: tl.constexpr,
    BOTH: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    T: tl.constexpr,
):
    """Keep the n largest of every row, the first among equals; BOTH: and of its column."""
    i, j, offsets, inside = places(tiles, H, W, PH, PW, T)
    s = load_tiles(scores, offsets, inside)
    kept = inside & (j < 0)
    rest = tl.where(inside, s, -float("inf"))
    for _ in range(n):
        _, where = across(rest)
        kept = kept | (j == where)
        rest = tl.where(j == where, -float("inf"), rest)
    if BOTH:
        kept_down = inside & (i < 0)
        rest = tl.where(inside, s, -float("inf"))
        for _ in range(n):
            _, where = down(rest)
            kept_down = kept_down | (i == where)
            rest = tl.where(i == where, -float("inf"), rest)
        kept = kept & kept_down
    if AT_MOST:
        kept = kept & (s > 0.0)
    tl.store(mask + offsets, kept, mask=inside)


def select(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Do as `masksolve.torch.batched.lines.select`."""
    return launch(select_kernel, scores, n, at_most, False)


def two_approx(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Do as `masksolve.torch.batched.lines.two_approx`."""
    return launch(select_kernel, scores, n, False, True)
