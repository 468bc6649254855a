"""Heaviest first, in Triton: what outweighs both its lines is kept, all such at once.

An entry that comes before every other one that its row and its column could still take is
kept by the walk from heavy to light too, whatever the walk does before it gets there. So
rounds of keeping all of these end with the walk's mask, in far fewer steps.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from masksolve.torch.gpu.fused.launch import launch
from masksolve.torch.gpu.fused.lines import across, down, load_tiles, places

__all__ = ["greedy", "keep_heaviest"]


@triton.jit
def keep_heaviest(weights, takes, i, j, n):
    """Keep of what may be taken while both lines have room; equals in row-major order."""
    takes = takes & (weights == weights)  # what is not a number would never be taken
    kept = takes & (j < 0)
    rows = tl.sum(kept.to(tl.int32), 1, keep_dims=True) + n
    columns = tl.sum(kept.to(tl.int32), 0, keep_dims=True) + n
    while tl.max(takes.to(tl.int32)) > 0:
        rest = tl.where(takes, weights, -float("inf"))
        _, column = across(rest)
        _, row = down(rest)
        new = takes & (j == column) & (i == row)
        kept = kept | new
        rows -= tl.sum(new.to(tl.int32), 1, keep_dims=True)
        columns -= tl.sum(new.to(tl.int32), 0, keep_dims=True)
        takes = takes & (new == 0) & (rows > 0) & (columns > 0)
    return kept


@triton.jit
def greedy_kernel(
    scores,
    mask,
    tiles,
    n,
    AT_MOST: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    T: tl.constexpr,
):
    """Keep entries of T tiles from heavy to light."""
    i, j, offsets, inside = places(tiles, H, W, PH, PW, T)
    s = load_tiles(scores, offsets, inside)
    takes = inside
    if AT_MOST:
        takes = takes & (s > 0.0)
    tl.store(mask + offsets, keep_heaviest(s, takes, i, j, n), mask=inside)


def greedy(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Do as `masksolve.torch.batched.greedy.greedy`."""
    return launch(greedy_kernel, scores, n, at_most)
