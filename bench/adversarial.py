"""Scores on which the two greedy methods do about as badly as they ever can.

A tile is made of blocks: n lines of group 0, n of group 1 and, if m > 2n, the rest, whose
scores are about zero. With e = 1/1000 the blocks where groups 0 and 1 meet are

    against greedy              against two_approx

    1 + e   1                     1       0
    1       0                   1 + e   1 + 2e

Greedy takes the first block, 1 + e, and is left with zeros; the optimum takes both ones:
it keeps about half. The 2-approximation keeps what is among the n heaviest of its row and
of its column, here the last block alone: columns of group 0 prefer 1 + e, rows of group 0
have only 1, and 1 + e is second in its rows. The optimum keeps the 1 as well, so about
twice as much is pruned as need be.

Every tile has its own order of rows and columns. Less than e/2 of noise on every score
breaks the ties within a block and leaves the order of the blocks as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masksolve import Pattern

__all__ = ["against_greedy", "against_two_approx", "fits"]

E = 1e-3


def fits(n: int, m: int) -> bool:
    """Tell whether the lines of the third group, if any, can be filled among themselves."""
    return m == 2 * n or m >= 3 * n


def against_greedy(
    rng: np.random.Generator, rows: int, columns: int, pattern: Pattern
) -> NDArray[np.float32]:
    """Make scores of which greedy keeps hardly more than half of the optimum."""
    return _blocks(rng, rows, columns, pattern, [[1 + E, 1, 0], [1, 0, 0], [0, 0, 0]])


def against_two_approx(
    rng: np.random.Generator, rows: int, columns: int, pattern: Pattern
) -> NDArray[np.float32]:
    """Make scores of which two_approx prunes almost twice what the optimum does."""
    return _blocks(rng, rows, columns, pattern, [[1, 0, 0], [1 + E, 1 + 2 * E, 0], [0, 0, 0]])


def _blocks(
    rng: np.random.Generator, rows: int, columns: int, pattern: Pattern, blocks: list[list[float]]
) -> NDArray[np.float32]:
    """Fill every tile with the scores of the blocks, its lines in random order."""
    n, m = pattern.n, pattern.m
    scores = np.asarray(blocks, dtype=np.float32)
    groups = np.tile(np.repeat([0, 1, 2], [n, n, m - 2 * n]), (columns // m, 1))
    out = rng.random((rows, columns), dtype=np.float32)
    out *= E / 2
    for strip in out.reshape(rows // m, m, columns // m, m):  # views: one row of tiles each
        row, column = rng.permuted(groups, axis=1), rng.permuted(groups, axis=1)
        strip += scores[row.T[:, :, None], column]
    return out
