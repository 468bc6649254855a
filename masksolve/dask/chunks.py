"""Chunks whose borders lie between tiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

__all__ = ["aligned"]


def aligned(chunks: Sequence[int], side: int) -> tuple[int, ...]:
    """Move the borders along an axis to the nearest multiples of a tile's side.

    Borders that meet become one; a ragged end stays where it is.

    Examples
    --------
    >>> aligned((30, 30, 30, 10), 8)
    (32, 32, 24, 12)
    >>> aligned((3, 3, 3), 8)
    (8, 1)
    """
    *borders, size = accumulate(chunks)
    moved = {(2 * border + side) // (2 * side) * side for border in borders}
    inner = sorted(border for border in moved if 0 < border < size)
    return tuple(b - a for a, b in pairwise([0, *inner, size]))
