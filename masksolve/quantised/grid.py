"""Scales and zero points: numbers of which each counts for a block of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import FileFormatError, InvalidInput, naming
from masksolve.quantised.packing import Packing
from masksolve.storage.tensors import TensorFile, as_number_dtype

__all__ = ["Grid", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies; it can be pickled.

    Attributes
    ----------
    path : str
        The file, by a name that holds wherever slices may be solved.
    name : str
        Of the tensor.
    offset : int
        Of its first byte.
    dtype : str
        As safetensors calls it.
    shape : tuple of int
    """

    path: str = field(repr=False)  # what is read is the same wherever it lies
    name: str
    offset: int
    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, file: TensorFile, name: str, dtype: str | None = None) -> Place:
        """Find a tensor in a file, and read it as of another dtype if one is given."""
        spec, path = file.tensors[name], str(file.path.absolute())
        return cls(path, name, file.offset(name), dtype or spec.dtype, spec.shape)

    def read(self, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """Read the tensor, or some entries of its first axis.

        Raises
        ------
        FileFormatError
            If they are not there any more.
        """
        dtype, inner = as_number_dtype(self.dtype), prod(self.shape[1:])
        length = self.shape[0] if self.shape else 1
        length = (length if last is None else last) - first
        count = length * inner
        with naming(Path(self.path), "read"):
            content = np.fromfile(
                self.path,
                dtype=np.uint8,
                count=count * dtype.itemsize,
                offset=self.offset + first * inner * dtype.itemsize,
            )
        if content.size != count * dtype.itemsize:
            raise FileFormatError(f"{self.path} was cut short while {self.name!r} was read")
        found = content.view(dtype)
        return found.reshape(length, *self.shape[1:]) if self.shape else found


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of which each counts for a block of weights.

    Attributes
    ----------
    place : Place
    shape : tuple of int
        Of the numbers, of as many dimensions as the weights.
    blocks : tuple of int
        Sides of a block along each axis of the weights.
    divides : bool
        Whether weights are divided by it.
    packing : Packing or None
        Of whole numbers in words.
    ones : int
        What is to be added to each word first.
    groups : Place or None
        For each entry along axis 0 of the weights, which number of that axis counts for it.
    """

    place: Place
    shape: tuple[int, ...]
    blocks: tuple[int, ...]
    divides: bool = False
    packing: Packing | None = None
    ones: int = 0
    groups: Place | None = None

    def read(self, start: Sequence[int], shape: Sequence[int]) -> NDArray[np.float32]:
        """Read the numbers for a part of the weights.

        Parameters
        ----------
        start, shape : sequence of int
            Where the part begins, and its sides.

        Returns
        -------
        ndarray of float32
            That broadcasts to `shape`.
        """
        if not prod(shape):
            return np.zeros(tuple(shape), dtype=np.float32)
        indices = [self._indices(axis, start[axis], shape[axis]) for axis in range(len(shape))]
        low, high = int(indices[0].min(initial=0)), int(indices[0].max(initial=0)) + 1
        if low < 0 or high > self.shape[0]:
            where = self.groups or self.place
            raise InvalidInput(
                f"{where.path}: tensor {where.name!r} names group {high - 1 if low >= 0 else low}, "
                f"and there are {self.shape[0]}"
            )
        numbers, low = self._rows(low, high)
        for k, index in enumerate(indices):
            numbers = numbers.take(index - (low if k == 0 else 0), axis=k)
        return numbers

    def _indices(self, axis: int, first: int, count: int) -> NDArray[np.int64]:
        if axis == 0 and self.groups is not None:
            return self.groups.read(first, first + count).astype(np.int64)
        if self.shape[axis] == 1:
            return np.zeros(min(count, 1), dtype=np.int64)
        found: NDArray[np.int64] = np.arange(first, first + count) // self.blocks[axis]
        return found

    def _rows(self, low: int, high: int) -> tuple[NDArray[np.float32], int]:
        """Read some of the first axis, and say with which it begins."""
        inner = self.shape[1:]
        if self.packing is None:
            whole = self.place.shape[:1] == self.shape[:1]
            rows = self.place.read(low, high) if whole else self.place.read()
            found = rows.astype(np.float32)
            return found.reshape(-1, *inner), low if whole else 0
        step = self.packing.codes if self.packing.axis == -2 and len(self.shape) == 2 else 1
        first, last = low // step, -(-high // step)
        words = self.place.read(first, last).astype("<u4") + np.uint32(self.ones)
        count = min(last * step, self.shape[0]) - first * step
        codes = self.packing.unpack(words.view(np.uint8).reshape(-1), (count, *inner))
        trimmed = codes[(slice(count), *map(slice, inner))]
        return trimmed.astype(np.float32), first * step
