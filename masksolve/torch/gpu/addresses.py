"""Where a tile lies in memory, in one vocabulary for all kernels.

A tile is at (batch, top, left): its matrix, and the row and column of its first entry there.
The certificate counts on this too. It is arithmetic and says nothing of what a solution is; an
address that was wrong would be wrong for scores and mask alike, and fail against NumPy.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["address", "tile_place"]


@triton.jit
def tile_place(
    number: tl.tensor, tile_rows: tl.tensor, tile_columns: tl.tensor, m: tl.constexpr
) -> tl.tuple:
    """Return (batch, top, left) of tiles by their numbers, int64, as `Tiling` counts them."""
    batch = number // tile_columns // tile_rows
    top = number // tile_columns % tile_rows * m
    left = number % tile_columns * m
    return batch, top, left


@triton.jit
def address(
    matrices: tl.tensor,
    batch_stride: tl.tensor,
    row_stride: tl.tensor,
    column_stride: tl.tensor,
    batch: tl.tensor,
    row: tl.tensor,
    column: tl.tensor,
) -> tl.tensor:
    """Return where entries (batch, row, column) are; int64, for products may be large."""
    return matrices + batch * batch_stride + row * row_stride + column * column_stride
