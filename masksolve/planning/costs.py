"""Arithmetic of a pattern on a matrix: entries kept, slots stored, bits of an index.

Lines of a partial tile (a side that is not a multiple of m) hold at most n, as for `solve`.
"""

from __future__ import annotations

from math import comb

from masksolve.pattern import Pattern

__all__ = ["capacity", "index_bits", "plain_of", "slots"]


def plain_of(pattern: Pattern) -> Pattern:
    """Give the plain pattern with the same n and m."""
    return Pattern(pattern.n, pattern.m, transposable=False, at_most=pattern.at_most)


def _groups(length: int, m: int) -> list[tuple[int, int]]:
    """Cut a line into groups of m: pairs of (width, how many)."""
    full, rest = divmod(length, m)
    return [(width, many) for width, many in ((m, full), (rest, 1)) if width and many]


def slots(pattern: Pattern, length: int) -> int:
    """Count the places for kept weights in one line of that length.

    Examples
    --------
    >>> slots(Pattern(2, 4), 8), slots(Pattern(2, 4), 9)
    (4, 5)
    """
    return sum(many * min(pattern.n, width) for width, many in _groups(length, pattern.m))


def capacity(pattern: Pattern, rows: int, columns: int) -> int:
    """Count the most entries that a mask of a matrix keeps.

    Examples
    --------
    >>> capacity(Pattern(2, 4), 8, 8), capacity(Pattern(2, 4, transposable=False), 3, 8)
    (32, 12)
    >>> capacity(Pattern(2, 4), 3, 8)  # tiles of 3 x 4: rows of 2 make 6, columns allow 8
    12
    """
    n, m = pattern.n, pattern.m
    if not pattern.transposable:
        return rows * slots(pattern, columns)
    return sum(
        high * wide * min(h * min(n, w), w * min(n, h))
        for h, high in _groups(rows, m)
        for w, wide in _groups(columns, m)
    )


def index_bits(pattern: Pattern, length: int) -> int:
    """Bits that say which are kept in one line: a number for each group, no fractions.

    Examples
    --------
    >>> index_bits(Pattern(2, 4), 4)  # six choices
    3
    >>> index_bits(Pattern(8, 16), 16)  # 12870 choices
    14
    """
    n, m = pattern.n, pattern.m
    bits = 0
    for width, many in _groups(length, m):
        exact = width == m and not pattern.at_most
        sizes = [n] if exact else range(min(n, width) + 1)
        choices = sum(comb(width, k) for k in sizes)
        bits += many * (choices - 1).bit_length()
    return bits
