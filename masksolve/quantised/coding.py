"""Weights kept as codes: what each is worth, and which code is zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import FileFormatError, naming
from masksolve.quantised.grid import Grid
from masksolve.quantised.packing import Packing
from masksolve.storage.tensors import TensorFile, as_number_dtype

__all__ = ["BYTES_AT_WORK", "Coding"]

BYTES_AT_WORK = 16
"""What a weight takes while it is decoded: its code, its value, its scale, its zero point."""
ROWS_AT_ONCE = 1 << 20
"""Entries that are decoded at once where all of a tensor is wanted."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How the codes of a tensor become weights: (value of the code - zero point) x scales.

    Attributes
    ----------
    format : str
        What it is called, for messages.
    shape : tuple of int
        Of the weights, in the order of the codes.
    packing : Packing
    values : str
        The dtype of a code, by safetensors' name.
    scales : tuple of Grid
    axes : tuple of int or None
        The (output, input) axes, where the format says which.
    zero : Grid or None
        Zero points, which are codes themselves; None: `zero_code` is zero everywhere.
    zero_code : int
    factor : float
        What all weights are multiplied by besides.
    """

    format: str
    shape: tuple[int, ...]
    packing: Packing
    values: str
    scales: tuple[Grid, ...]
    axes: tuple[int, int] | None = None
    zero: Grid | None = None
    zero_code: int = 0
    factor: float = 1.0

    @property
    def units(self) -> tuple[int, ...]:
        """Along each axis, how many entries must not be parted."""
        found = [1] * len(self.shape)
        found[self.packing.axis] = self.packing.codes
        return tuple(found)

    def locate(self, start: Sequence[int], shape: Sequence[int]) -> tuple[int, int]:
        """Return where in the tensor the bytes of a contiguous part begin, and their number."""
        first = list(start)
        first[self.packing.axis] //= self.packing.codes
        index = 0
        for k, side in zip(first, self.packing.words(self.shape), strict=True):
            index = index * side + k
        return index * self.packing.word, prod(self.packing.words(shape)) * self.packing.word

    def decode(
        self, content: NDArray[np.uint8], start: Sequence[int], shape: Sequence[int]
    ) -> NDArray[np.float32]:
        """Return the weights of a part.

        Parameters
        ----------
        content : ndarray of uint8
            Its bytes.
        start, shape : sequence of int
            Where among the weights it begins, and its sides.
        """
        codes = self.packing.unpack(content, shape)[tuple(map(slice, shape))]
        weights = _table(self.values, self.packing.bits)[codes]
        if self.zero is not None:
            weights -= self.zero.read(start, shape)
        elif self.zero_code:
            weights -= np.float32(self.zero_code)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of these others speak
            for scale in self.scales:
                numbers = scale.read(start, shape)
                operation = np.divide if scale.divides else np.multiply
                operation(weights, numbers, out=weights)
        if self.factor != 1:
            weights *= np.float32(self.factor)
        return weights

    def zeroed(
        self,
        content: NDArray[np.uint8],
        start: Sequence[int],
        shape: Sequence[int],
        kept: NDArray[np.bool_],
    ) -> NDArray[np.uint8]:
        """Return the bytes of a part with the code of zero for all that is not kept."""
        codes = np.array(self.packing.unpack(content, shape))
        inside = codes[tuple(map(slice, shape))]
        zero = np.broadcast_to(np.uint8(self.zero_code), shape)
        if self.zero is not None:
            zeros = self.zero.read(start, shape).astype(as_number_dtype(self.values))
            zero = np.broadcast_to(zeros.view(np.uint8), shape)
        np.copyto(inside, zero, where=~kept.reshape(inside.shape))
        return self.packing.pack(codes)

    def read(self, file: TensorFile, name: str) -> NDArray[np.float32]:
        """Read all weights of a tensor.

        Returns
        -------
        ndarray of float32
            Of shape `shape`.

        Raises
        ------
        FileFormatError
            If the file is shorter than it was.
        """
        weights = np.empty(self.shape, dtype=np.float32)
        inner, unit = prod(self.shape[1:]), self.units[0]
        step = max(1, ROWS_AT_ONCE // max(1, inner) // unit) * unit
        for first in range(0, self.shape[0], step):
            shape = (min(step, self.shape[0] - first), *self.shape[1:])
            start = (first, *(0 for _ in self.shape[1:]))
            offset, nbytes = self.locate(start, shape)
            with naming(Path(file.path), "read"):
                content = np.fromfile(
                    file.path, dtype=np.uint8, count=nbytes, offset=file.offset(name) + offset
                )
            if content.size != nbytes:
                raise FileFormatError(f"{file.path} was cut short while {name!r} was read")
            weights[first : first + shape[0]] = self.decode(content, start, shape)
        return weights


@lru_cache(maxsize=16)
def _table(dtype: str, bits: int) -> NDArray[np.float32]:
    """Return the value of every code."""
    codes = np.arange(1 << bits, dtype=np.uint8)
    with np.errstate(invalid="ignore"):  # NaN, of which others speak
        found: NDArray[np.float32] = codes.view(as_number_dtype(dtype)).astype(np.float32)
    found.setflags(write=False)
    return found
