"""Arrays as the tiles that a pattern cuts them into: how many of which shape."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from math import prod

from masksolve.diversity.tables import Lines
from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern

__all__ = ["as_shape", "full_tile", "tiles_of"]


def as_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Validate a shape: at least two sizes, none negative; the last two are the matrix."""
    try:
        found = tuple(operator.index(size) for size in shape)
    except TypeError:
        found = ()
    if len(found) < 2 or min(found) < 0:
        raise InvalidInput(
            f"shape must be two or more sizes, none negative, like (4096, 4096); got {shape!r}"
        )
    return found


def full_tile(pattern: Pattern) -> Lines:
    """Give the lines of a full tile; a tile of a plain pattern is one line."""
    n, m = pattern.n, pattern.m
    if pattern.transposable:
        return Lines(m, m, n, n, pattern.at_most)
    return Lines(1, m, n, 1, pattern.at_most)


def tiles_of(pattern: Pattern, shape: tuple[int, ...]) -> dict[Lines, int]:
    """Count the tiles of each shape, as `masksolve.solve` cuts an array.

    The lines of a tile that an edge cuts off hold at most n.
    """
    *batch, rows, columns = shape
    height, width = pattern.tile_shape
    found: Counter[Lines] = Counter()
    for h, across in _pieces(rows, height):
        for w, along in _pieces(columns, width):
            lines = full_tile(pattern)
            if (h, w) != (height, width):
                column_sum = pattern.n if pattern.transposable else 1
                lines = Lines(h, w, pattern.n, column_sum, at_most=True)
            found[lines] += across * along * prod(batch)
    return {lines: times for lines, times in found.items() if times}


def _pieces(size: int, tile: int) -> list[tuple[int, int]]:
    """Give the lengths of pieces along a side, and how many there are of each."""
    full, rest = divmod(size, tile)
    return [(tile, full), *([(rest, 1)] if rest else [])]
