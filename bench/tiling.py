"""A matrix as the tiles that many contestants take, and back."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .registry import Contestant

__all__ = ["from_tiles", "run", "to_tiles"]

Entry = TypeVar("Entry", bound=np.generic)


def to_tiles(matrix: NDArray[Entry], m: int) -> NDArray[Entry]:
    """Cut a matrix with sides divisible by m: (t, m, m), contiguous, tile row by tile row."""
    rows, columns = matrix.shape
    tiles = matrix.reshape(rows // m, m, columns // m, m).swapaxes(1, 2)
    return np.ascontiguousarray(tiles).reshape(-1, m, m)


def from_tiles(tiles: NDArray[Entry], shape: tuple[int, int]) -> NDArray[Entry]:
    """Put what `to_tiles` cut back together: contiguous, of the given shape."""
    rows, columns = shape
    m = tiles.shape[-1]
    grid = tiles.reshape(rows // m, columns // m, m, m).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(shape)


def run(contestant: Contestant, scores: NDArray[np.float32], n: int, m: int) -> NDArray[Any]:
    """Let a contestant find the mask of a matrix, cutting tiles for it if it takes tiles."""
    if contestant.takes == "matrix":
        return np.asarray(contestant.solve(scores, n, m))
    tiles: NDArray[Any] = np.asarray(contestant.solve(to_tiles(scores, m), n))
    return from_tiles(tiles, (scores.shape[0], scores.shape[1]))
