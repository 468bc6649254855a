"""Tensors cut into slices: runs of bytes in a file that can be solved one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, gcd, lcm, prod
from typing import NamedTuple

__all__ = ["Part", "cut"]


class Part(NamedTuple):
    """A part of an array: where it begins, and its shape, of as many dimensions."""

    start: tuple[int, ...]
    shape: tuple[int, ...]


def cut(
    shape: Sequence[int],
    axes: tuple[int, int],
    tile: tuple[int, int],
    most: int,
    units: Sequence[int] = (),
) -> Iterator[Part]:
    """Cut an array between tiles, into parts that are contiguous in C order.

    Parameters
    ----------
    shape : sequence of int
    axes : tuple of int
        The (output, input) axes of the matrices, counted from 0.
    tile : tuple of int
        Sides of a tile along these axes: no part begins within one.
    most : int
        Entries that a part should have at most. Where even one row of tiles has more,
        parts are single rows of tiles.
    units : sequence of int
        Along each axis, how many entries must not be parted besides; default: 1.

    Examples
    --------
    >>> list(cut((8, 6), (0, 1), (4, 4), most=24))
    [Part(start=(0, 0), shape=(4, 6)), Part(start=(4, 0), shape=(4, 6))]
    >>> [part.start for part in cut((2, 8, 6), (1, 2), (4, 4), most=24)]
    [(0, 0, 0), (0, 4, 0), (1, 0, 0), (1, 4, 0)]
    """
    sides = list(units) or [1] * len(shape)
    for axis, side in zip(axes, tile, strict=True):
        sides[axis] = lcm(sides[axis], side)
    if prod(shape) <= most:
        yield Part((0,) * len(shape), tuple(shape))
    else:
        yield from _cut((), tuple(shape), sides, most)


def _cut(
    prefix: tuple[int, ...], shape: tuple[int, ...], sides: list[int], most: int
) -> Iterator[Part]:
    k = len(prefix)
    length, inner = shape[k], shape[k + 1 :]
    unit = sides[k] * prod(inner)
    if unit > most and sides[k] == 1 and inner:
        for i in range(length):
            yield from _cut((*prefix, i), shape, sides, most)
        return
    step = sides[k] * _per_part(ceil(length / sides[k]), unit, most)
    for first in range(0, length, step):
        start = (*prefix, first, *(0 for _ in inner))
        yield Part(start, (*(1 for _ in prefix), min(step, length - first), *inner))


def _per_part(units: int, unit: int, most: int) -> int:
    """Choose how many units make a part: equal parts that end with whole bytes of masks."""
    fit = max(1, most // unit)
    even = ceil(units / ceil(units / fit))
    whole = 8 // gcd(8, unit)
    return min(ceil(even / whole), max(1, fit // whole)) * whole if fit >= whole else even
