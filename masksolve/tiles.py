"""Weights as a grid of independent tiles: axes, batches, padding, pieces.

An array with two matrix axes and any number of batch axes is a stack of matrices;
each matrix is cut into tiles aligned to multiples of the tile's sides. Work goes by
*boxes*: a few neighbouring tiles, small enough for the cache, copied to one array
``(tiles, h, w)`` and back. Tiles at the ragged edge come in boxes of their own,
padded with zeros, because another constraint (at most n) holds there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Box", "TileLayout"]

BOX_ENTRIES = 1 << 16
"""Entries of a box: half a megabyte in float64, a share of any L2 cache."""


@dataclass(frozen=True, slots=True)
class Box:
    """A run of matrices x tile rows x tile columns, all half-open ranges."""

    matrices: slice
    rows: slice
    columns: slice
    partial: bool

    @property
    def index(self) -> tuple[slice, slice, slice]:
        """Where the box lies in an array ``(matrices, tile rows, tile columns)``."""
        return (self.matrices, self.rows, self.columns)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Matrices, tile rows, tile columns."""
        a, b, c = (s.stop - s.start for s in self.index)
        return (a, b, c)

    @property
    def tiles(self) -> int:
        """How many tiles it holds."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class TileLayout:
    """How an array of ``shape`` falls into tiles of ``tile`` along ``axes``."""

    shape: tuple[int, ...]
    axes: tuple[int, int]
    tile: tuple[int, int]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Lengths of the axes that are not the matrix's."""
        return tuple(n for k, n in enumerate(self.shape) if k not in self.axes)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of each matrix."""
        return self.shape[self.axes[0]], self.shape[self.axes[1]]

    @property
    def grid(self) -> tuple[int, int]:
        """Tile rows and tile columns of each matrix, partial tiles included."""
        (rows, columns), (h, w) = self.matrix_shape, self.tile
        return -(-rows // h), -(-columns // w)

    @property
    def stack_shape(self) -> tuple[int, int, int]:
        """Matrices, tile rows, tile columns."""
        return (prod(self.batch_shape), *self.grid)

    @property
    def tiles(self) -> int:
        """How many tiles there are in all."""
        return prod(self.stack_shape)

    def per_tile(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Give an array ``(matrices, tile rows, tile columns, ...)`` its batch axes back."""
        return flat.reshape(*self.batch_shape, *flat.shape[1:])

    def boxes(self, entries: int = BOX_ENTRIES, down: bool = False) -> list[Box]:
        """Cut the stack into boxes of about that many entries: whole tile rows, or columns."""
        (rows, columns), (h, w) = self.matrix_shape, self.tile
        full_rows, full_columns = rows // h, columns // w
        tile_rows, tile_columns = self.grid
        most = max(1, entries // (h * w))
        boxes: list[Box] = []
        for r, r_partial in ((slice(0, full_rows), False), (slice(full_rows, tile_rows), True)):
            for c, c_partial in (
                (slice(0, full_columns), False),
                (slice(full_columns, tile_columns), True),
            ):
                boxes += self._region(r, c, r_partial or c_partial, most, down)
        return boxes

    def _region(
        self, rows: slice, columns: slice, partial: bool, most: int, down: bool
    ) -> Iterator[Box]:
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        if high == 0 or wide == 0:
            return
        if down:
            r_step = min(high, most)
            c_step = min(wide, max(1, most // high))
        else:
            c_step = min(wide, most)
            r_step = min(high, max(1, most // wide))
        b_step = max(1, most // (wide * high))
        for b in _steps(slice(0, self.stack_shape[0]), b_step):
            for r in _steps(rows, r_step):
                for c in _steps(columns, c_step):
                    yield Box(b, r, c, partial)

    def _index(self, box: Box) -> tuple[Any, ...]:
        """Index of the box's entries in the array with its matrix axes last."""
        (rows, columns), (h, w) = self.matrix_shape, self.tile
        first, last = box.matrices.start, box.matrices.stop
        batch: tuple[Any, ...] = ()
        if self.batch_shape:
            # One matrix: plain integers, so that the window is a view.
            which = first if last - first == 1 else np.arange(first, last)
            batch = np.unravel_index(which, self.batch_shape)
            if last - first == 1:
                batch = tuple(int(i) for i in batch)
        return (
            *batch,
            slice(box.rows.start * h, min(box.rows.stop * h, rows)),
            slice(box.columns.start * w, min(box.columns.stop * w, columns)),
        )

    def window(self, array: NDArray[Any], box: Box) -> NDArray[Any]:
        """Cut a box out: rows x columns, a view; or matrices x rows x columns, a copy."""
        found: NDArray[Any] = np.moveaxis(array, self.axes, (-2, -1))[self._index(box)]
        return found

    def put(self, array: NDArray[Any], box: Box, values: NDArray[Any]) -> None:
        """Write what `window` cuts out."""
        np.moveaxis(array, self.axes, (-2, -1))[self._index(box)] = values

    def gather(self, array: NDArray[Any], box: Box, dtype: DTypeLike) -> NDArray[Any]:
        """Copy a box to a contiguous array ``(tiles, h, w)``, zeros in the padding."""
        h, w = self.tile
        b, r, c = box.shape
        window = self.window(array, box)
        out = np.empty((b, r, c, h, w), dtype=dtype)
        with np.errstate(invalid="ignore"):  # NaN is for whoever asked to judge
            if box.partial:
                flat = np.zeros((b, r * h, c * w), dtype=dtype)
                flat[:, : window.shape[-2], : window.shape[-1]] = window
                window = flat
            out.transpose(0, 1, 3, 2, 4)[...] = window.reshape(b, r, h, c, w)
        return out.reshape(-1, h, w)

    def scatter(self, array: NDArray[Any], box: Box, tiles: NDArray[Any]) -> None:
        """Write ``(tiles, h, w)`` to where `gather` read it; the padding falls away."""
        h, w = self.tile
        b, r, c = box.shape
        flat = tiles.reshape(b, r, c, h, w).transpose(0, 1, 3, 2, 4).reshape(b, r * h, c * w)
        rows, columns = self.matrix_shape
        high = min(box.rows.stop * h, rows) - box.rows.start * h
        wide = min(box.columns.stop * w, columns) - box.columns.start * w
        flat = flat[:, :high, :wide]
        self.put(array, box, flat[0] if b == 1 else flat)


def _steps(whole: slice, step: int) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, step):
        yield slice(start, min(start + step, whole.stop))
