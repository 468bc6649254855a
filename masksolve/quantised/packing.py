"""Codes of few bits in words: where each lies, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Packing"]


@dataclass(frozen=True, slots=True)
class Packing:
    """How codes lie in words, the first in the lowest bits.

    Attributes
    ----------
    bits : int
        Of a code: 2, 4 or 8.
    word : int
        Bytes of a word, little endian.
    axis : int
        Along which neighbours share a word: -1 or -2.
    order : tuple of int
        Which code of a word lies in its first bits, which in the next; empty: their own order.

    Examples
    --------
    >>> packing, codes = Packing(4, 1), np.array([[1, 2, 3]], dtype=np.uint8)
    >>> words = packing.pack(packing.padded(codes))
    >>> words.tobytes().hex(), packing.unpack(words, codes.shape).tolist()
    ('2103', [[1, 2, 3, 0]])
    """

    bits: int = 8
    word: int = 1
    axis: int = -1
    order: tuple[int, ...] = ()

    @property
    def codes(self) -> int:
        """How many are in a word."""
        return self.word * 8 // self.bits

    def words(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the words of so many codes."""
        found = list(shape)
        found[self.axis] = -(-found[self.axis] // self.codes)
        return tuple(found)

    def padded(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill the last words with zeros."""
        wide = list(codes.shape)
        wide[self.axis] = self.words(codes.shape)[self.axis] * self.codes
        found = np.zeros(wide, dtype=np.uint8)
        found[tuple(slice(side) for side in codes.shape)] = codes
        return found

    def unpack(self, content: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.uint8]:
        """Return the codes of some words, those that fill the last of them too.

        Parameters
        ----------
        content : ndarray of uint8
            The bytes of the words.
        shape : sequence of int
            Of the codes that count.
        """
        words = self.words(shape)
        fields = content.reshape(*words, self.word)
        if self.bits < 8:
            shifts = np.arange(0, 8, self.bits, dtype=np.uint8)
            fields = (fields[..., None] >> shifts) & np.uint8((1 << self.bits) - 1)
            fields = fields.reshape(*words, self.codes)
        if self.order:
            fields = fields[..., np.argsort(self.order)]
        if self.axis == -2:
            fields = np.moveaxis(fields, -1, -2)
        wide = list(words)
        wide[self.axis] *= self.codes
        return fields.reshape(wide)

    def pack(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the bytes of the words of codes that fill them."""
        words = self.words(codes.shape)
        if self.axis == -2:
            cut = codes.reshape(*words[:-1], self.codes, words[-1])
            fields = np.moveaxis(cut, -2, -1)
        else:
            fields = codes.reshape(*words, self.codes)
        if self.order:
            fields = fields[..., list(self.order)]
        if self.bits < 8:
            parts = fields.reshape(*words, self.word, 8 // self.bits)
            shifts = np.arange(0, 8, self.bits, dtype=np.uint8)
            fields = np.bitwise_or.reduce(parts << shifts, axis=-1)
        return np.ascontiguousarray(fields).reshape(-1)
