"""Matrices cut into chunks of tiles, copied one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Chunk", "chunks"]

WIDE = (torch.float64, torch.int32, torch.int64, torch.uint32, torch.uint64)
"""What single precision does not hold."""


@dataclass(frozen=True)
class Chunk:
    """Some tiles of matrices, all full or all partial.

    Attributes
    ----------
    box : tuple of slice
        Where they lie in the matrices (batch, rows, columns).
    grid : tuple of int
        Matrices, rows and columns of tiles.
    tile : tuple of int
    partial : bool
    """

    box: tuple[slice, slice, slice]
    grid: tuple[int, int, int]
    tile: tuple[int, int]
    partial: bool

    def gather(self, matrices: Tensor, magnitude: bool) -> Tensor:
        """Copy the tiles as scores (tiles, h, w), zeros where there is nothing."""
        dtype = torch.float64 if matrices.dtype in WIDE else torch.float32
        part = matrices[self.box]
        if self.partial:
            whole = part.new_zeros(self._whole(), dtype=dtype)
            whole[:, : part.shape[1], : part.shape[2]] = part
            part = whole
        tiles = torch.empty((*self.grid, *self.tile), dtype=dtype, device=matrices.device)
        tiles.copy_(self._cut(part))
        if magnitude:
            tiles.abs_()
        return tiles.view(-1, *self.tile)

    def scatter(self, mask: Tensor, tiles: Tensor) -> None:
        """Write the tiles' masks where they belong."""
        part = mask[self.box]
        found = tiles.view(*self.grid, *self.tile)
        if self.partial:
            whole = mask.new_empty(self._whole())
            self._cut(whole).copy_(found)
            part.copy_(whole[:, : part.shape[1], : part.shape[2]])
        else:
            self._cut(part).copy_(found)

    def _whole(self) -> tuple[int, int, int]:
        (count, down, across), (h, w) = self.grid, self.tile
        return count, down * h, across * w

    def _cut(self, part: Tensor) -> Tensor:
        """View a part as (matrices, rows of tiles, columns of tiles, h, w)."""
        (_, down, across), (h, w) = self.grid, self.tile
        return part.unflatten(2, (across, w)).unflatten(1, (down, h)).transpose(2, 3)


def chunks(shape: torch.Size, tile: tuple[int, int], entries: int) -> Iterator[Chunk]:
    """Cut matrices (batch, rows, columns) into chunks of at most so many entries.

    A chunk holds one tile at least. Partial tiles come in chunks of their own.

    Examples
    --------
    >>> found = list(chunks(torch.Size((1, 8, 10)), (4, 4), entries=32))
    >>> [(chunk.grid, chunk.partial) for chunk in found]
    [((1, 1, 2), False), ((1, 1, 2), False), ((1, 2, 1), True)]
    """
    (batch, rows, columns), (h, w) = shape, tile
    down, across = rows // h, columns // w
    regions = [
        (0, down, 0, across, False),
        (0, down, across, -(-columns // w), True),
        (down, -(-rows // h), 0, -(-columns // w), True),
    ]
    most = max(1, entries // (h * w))
    for top, bottom, left, right, partial in regions:
        for (b, r, c), grid in _boxes((batch, bottom - top, right - left), most):
            row, column = (top + r) * h, (left + c) * w
            box = (
                slice(b, b + grid[0]),
                slice(row, min(rows, row + grid[1] * h)),
                slice(column, min(columns, column + grid[2] * w)),
            )
            yield Chunk(box, grid, tile, partial)


def _boxes(
    shape: tuple[int, int, int], most: int
) -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Cut a grid into boxes of at most so many cells: where each begins, and its shape."""
    count, down, across = shape
    wide = max(1, min(across, most))
    high = max(1, min(down, most // wide))
    deep = max(1, min(count, most // (wide * high)))
    for b in range(0, count, deep):
        for r in range(0, down, high):
            for c in range(0, across, wide or 1):
                yield (
                    (b, r, c),
                    (min(deep, count - b), min(high, down - r), min(wide, across - c)),
                )
