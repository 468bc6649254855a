"""Weights as a grid of independent tiles: axes, batches, padding, pieces.

An array with two matrix axes and any number of batch axes is a stack of matrices;
each matrix is cut into tiles aligned to multiples of the tile's sides. Work goes by
*boxes*: a few neighbouring tiles, small enough for the cache, copied to one array
``(tiles, h, w)`` and back. Tiles at the ragged edge come in boxes of their own,
padded with zeros, because another constraint (at most n) holds there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Box", "TileLayout", "tile_layout"]

BOX_ENTRIES = 1 << 16
"""Entries of a box: half a megabyte in float64, a share of any L2 cache."""
FEW_BOXES = 16
"""A layout remembers no more: they save a small solve's time, and a large one's memory."""


def _derived() -> Any:
    """Declare a field that follows from the others: worked out once, for every use."""
    return field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Box:
    """A run of matrices x tile rows x tile columns, all half-open ranges.

    Attributes
    ----------
    index : tuple of slice
        Where the box lies in an array ``(matrices, tile rows, tile columns)``.
    shape : tuple of int
        Matrices, tile rows, tile columns.
    tiles : int
        How many tiles it holds.
    """

    matrices: slice
    rows: slice
    columns: slice
    partial: bool
    index: tuple[slice, slice, slice] = _derived()
    shape: tuple[int, int, int] = _derived()
    tiles: int = _derived()

    def __post_init__(self) -> None:
        index = (self.matrices, self.rows, self.columns)
        shape = tuple([s.stop - s.start for s in index])
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "tiles", prod(shape))


@dataclass(frozen=True, slots=True)
class TileLayout:
    """How an array of ``shape`` falls into tiles of ``tile`` along ``axes``.

    Attributes
    ----------
    batch_shape : tuple of int
        Lengths of the axes that are not the matrix's.
    matrix_shape : tuple of int
        Rows and columns of each matrix.
    grid : tuple of int
        Tile rows and tile columns of each matrix, partial tiles included.
    stack_shape : tuple of int
        Matrices, tile rows, tile columns.
    tiles : int
        How many tiles there are in all.
    """

    shape: tuple[int, ...]
    axes: tuple[int, int]
    tile: tuple[int, int]
    batch_shape: tuple[int, ...] = _derived()
    matrix_shape: tuple[int, int] = _derived()
    grid: tuple[int, int] = _derived()
    stack_shape: tuple[int, int, int] = _derived()
    tiles: int = _derived()
    _order: tuple[int, ...] = _derived()  # all axes, the matrix's last
    _boxes: dict[tuple[int, bool], tuple[Box, ...]] = field(  # where they are few
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        batch = tuple([k for k in range(len(self.shape)) if k not in self.axes])
        batch_shape = tuple([self.shape[k] for k in batch])
        (rows, columns), (h, w) = [self.shape[k] for k in self.axes], self.tile
        grid = (-(-rows // h), -(-columns // w))
        stack_shape = (prod(batch_shape), *grid)
        object.__setattr__(self, "batch_shape", batch_shape)
        object.__setattr__(self, "matrix_shape", (rows, columns))
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "stack_shape", stack_shape)
        object.__setattr__(self, "tiles", prod(stack_shape))
        object.__setattr__(self, "_order", (*batch, *self.axes))

    def __getstate__(self) -> list[Any]:
        return [self.shape, self.axes, self.tile]  # what follows from them is worked out again

    def __setstate__(self, state: list[Any]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def per_tile(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Give an array ``(matrices, tile rows, tile columns, ...)`` its batch axes back."""
        return flat.reshape(*self.batch_shape, *flat.shape[1:])

    def boxes(self, entries: int = BOX_ENTRIES, down: bool = False) -> Sequence[Box]:
        """Cut the stack into boxes of about that many entries: whole tile rows, or columns."""
        found = self._boxes.get((entries, down))
        if found is None:
            found = tuple(self._cut(entries, down))
            if len(found) <= FEW_BOXES:
                self._boxes[entries, down] = found
        return found

    def _cut(self, entries: int, down: bool) -> Iterator[Box]:
        (rows, columns), (h, w) = self.matrix_shape, self.tile
        full_rows, full_columns = rows // h, columns // w
        tile_rows, tile_columns = self.grid
        most = max(1, entries // (h * w))
        for r, r_partial in ((slice(0, full_rows), False), (slice(full_rows, tile_rows), True)):
            for c, c_partial in (
                (slice(0, full_columns), False),
                (slice(full_columns, tile_columns), True),
            ):
                yield from self._region(r, c, r_partial or c_partial, most, down)

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
            if last - first == 1:  # plain integers, so that the window is a view
                batch = tuple([int(i) for i in np.unravel_index(first, self.batch_shape)])
            elif last - first == self.stack_shape[0]:
                batch = (slice(None),) * len(self.batch_shape)
            else:
                batch = np.unravel_index(np.arange(first, last), self.batch_shape)
        return (
            *batch,
            slice(box.rows.start * h, min(box.rows.stop * h, rows)),
            slice(box.columns.start * w, min(box.columns.stop * w, columns)),
        )

    def window(self, array: NDArray[Any], box: Box) -> NDArray[Any]:
        """Cut a box out: rows x columns, a view; or matrices x rows x columns, to be read."""
        found: NDArray[Any] = array.transpose(self._order)[self._index(box)]
        return found if found.ndim < 4 else found.reshape(box.shape[0], *found.shape[-2:])

    def put(self, array: NDArray[Any], box: Box, values: NDArray[Any]) -> None:
        """Write what `window` cuts out."""
        place = array.transpose(self._order)
        index = self._index(box)
        if self.batch_shape and isinstance(index[0], slice):  # all matrices
            values = values.reshape(*self.batch_shape, *values.shape[-2:])
        place[index] = values

    def gather(self, array: NDArray[Any], box: Box, dtype: DTypeLike) -> NDArray[Any]:
        """Copy a box to a contiguous array ``(tiles, h, w)``, zeros in the padding."""
        h, w = self.tile
        b, r, c = box.shape
        window = self.window(array, box)
        out = np.empty((b, r, c, h, w), dtype=dtype)
        same = window.dtype == dtype
        # NaN is for whoever asked to judge.
        with nullcontext() if same else np.errstate(invalid="ignore"):
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


@lru_cache(maxsize=128)
def tile_layout(shape: tuple[int, ...], axes: tuple[int, int], tile: tuple[int, int]) -> TileLayout:
    """Return a layout that all who solve such arrays share."""
    return TileLayout(shape, axes, tile)


def _steps(whole: slice, step: int) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, step):
        yield slice(start, min(start + step, whole.stop))
