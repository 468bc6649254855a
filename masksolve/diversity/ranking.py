"""Masks as integers below their number, and uniform random masks by way of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from masksolve.diversity.tables import Lines, below_of, count_lines, primes_for, residues
from masksolve.inputs import as_threads

__all__ = ["Ranking", "ranking_of"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order of all matrices with given line sums, to count along it.

    Attributes
    ----------
    lines : Lines
        Exactly, not at most.
    count : int
    """

    lines: Lines
    count: int
    _radices: NDArray[np.int64]
    _lows: NDArray[np.int64]
    _sizes: NDArray[np.int64]
    _first: NDArray[np.int64]
    _digits: NDArray[np.uint32]
    _below: NDArray[np.int64]
    _binomials: NDArray[np.int64]

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Return the mask of an integer in [0, count)."""
        from masksolve.kernels.ranking import unrank_tile

        value = np.empty(len(self._radices), dtype=np.int64)
        for k, radix in enumerate(self._radices.tolist()):
            number, value[k] = divmod(number, radix)
        mask = np.zeros((self.lines.rows, self.lines.columns), dtype=np.bool_)
        unrank_tile(value, *self._tables(), mask)
        return mask

    def number(self, mask: NDArray[np.bool_]) -> int:
        """Return the integer of a mask that obeys the sums."""
        from masksolve.kernels.ranking import rank_tile

        value = np.empty(len(self._radices), dtype=np.int64)
        rank_tile(np.ascontiguousarray(mask), *self._tables(), value)
        number = 0
        for k in reversed(range(len(value))):
            number = number * int(self._radices[k]) + int(value[k])
        return number

    def draw(self, tiles: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Draw masks, each as likely as any other: (tiles, rows, columns)."""
        numbers = [_below(self.count, rng) for _ in range(tiles)]
        threads = as_threads(None)
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(self.mask, numbers, chunksize=64))
        shape = (tiles, self.lines.rows, self.lines.columns)
        return np.array(found, dtype=np.bool_).reshape(shape)

    def _tables(self) -> tuple[object, ...]:
        return (
            self._radices,
            self.lines.row_sum,
            self._lows,
            self._sizes,
            self._first,
            self._digits,
            self._below,
            self._binomials,
        )


@cache
def ranking_of(lines: Lines) -> Ranking:
    """Count everything that ranking needs: the ways on from every state, digit by digit."""
    from masksolve.kernels.ranking import to_digits

    primes = primes_for(lines)
    radices = np.array(primes, dtype=np.int64)
    inverses = [pow(prod(primes[:k]), -1, prime) for k, prime in enumerate(primes)]
    with ThreadPoolExecutor(as_threads(None)) as pool:
        found = list(pool.map(lambda prime: list(residues(lines, prime)), primes))
    sizes = [len(table) for table in found[0]]
    first = np.concatenate([[0], np.cumsum(sizes)])
    digits = np.empty((first[-1], len(primes)), dtype=np.uint32)
    for left, size in enumerate(sizes):
        together = np.array([tables[left] for tables in found])
        part = np.empty((size, len(primes)), dtype=np.int64)
        to_digits(together, radices, np.array(inverses, dtype=np.int64), part)
        digits[first[left] : first[left + 1]] = part
    levels = [lines.levels(left) for left in range(lines.rows + 1)]
    sizes_of_classes = range(lines.columns + 1)
    binomials = [[comb(a, b) for b in sizes_of_classes] for a in sizes_of_classes]
    return Ranking(
        lines,
        count_lines(lines),
        radices,
        np.array([level.start for level in levels]),
        np.array([len(level) for level in levels]),
        first,
        digits,
        below_of(max(map(len, levels)), lines.columns),
        np.array(binomials, dtype=np.int64),
    )


def _below(count: int, rng: np.random.Generator) -> int:
    """Draw an integer below a count, each as likely: too large ones are drawn again."""
    bits = (count - 1).bit_length()
    while True:
        number = int.from_bytes(rng.bytes((bits + 7) // 8), "little") & ((1 << bits) - 1)
        if number < count:
            return number
