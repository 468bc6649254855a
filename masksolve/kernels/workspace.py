"""Scratch arrays of the engine, allocated once a box."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.simd import LANES

__all__ = ["Workspace", "workspace"]


class Workspace(NamedTuple):
    """Scratch of one thread: lanes are flat, potentials of tiles left over in rows."""

    E: NDArray[Any]  # entries, in the precision in which they are exact
    S: NDArray[np.float32]  # the same in single precision; E itself if that is exact
    P: NDArray[np.float32]
    U: NDArray[np.float32]
    V: NDArray[np.float32]
    left_V: NDArray[np.float32]
    UU: NDArray[np.float64]
    VV: NDArray[np.float64]
    floor: NDArray[np.float32]
    scale: NDArray[np.float64]
    inverse: NDArray[np.float64]
    sizes: NDArray[np.float64]
    kept: NDArray[np.float64]
    gaps: NDArray[np.float64]
    total: NDArray[np.float64]
    open_tiles: NDArray[np.int64]  # of tiles whose gap is not zero
    open_gaps: NDArray[np.float64]
    X: NDArray[np.int8]
    rows: NDArray[np.int8]
    columns: NDArray[np.int8]
    tiles: NDArray[np.int64]
    left: NDArray[np.int64]
    s: NDArray[np.float64]  # from here on one tile, for the last stage
    x: NDArray[np.bool_]
    uv: NDArray[np.float64]
    floats: NDArray[np.float64]
    integers: NDArray[np.int64]
    done: NDArray[np.bool_]


def workspace(m: int, tiles: int, double: bool) -> Workspace:
    """Allocate scratch for boxes of up to `tiles` tiles; `double`: of float64 entries."""
    entries, lines = m * m * LANES, m * LANES
    single = np.empty(entries, dtype=np.float32)
    return Workspace(
        E=np.empty(entries) if double else single,
        S=single,
        P=np.empty(entries, dtype=np.float32),
        U=np.empty(lines, dtype=np.float32),
        V=np.empty(lines, dtype=np.float32),
        left_V=np.empty((tiles, m), dtype=np.float32),
        UU=np.empty(lines),
        VV=np.empty(lines),
        floor=np.full(LANES, -np.inf, dtype=np.float32),
        scale=np.empty(LANES),
        inverse=np.empty(LANES),
        sizes=np.empty(LANES),
        kept=np.empty(LANES),
        gaps=np.empty(LANES),
        total=np.empty(LANES),
        open_tiles=np.empty(tiles, dtype=np.int64),
        open_gaps=np.empty(tiles),
        X=np.empty(entries, dtype=np.int8),
        rows=np.empty(lines, dtype=np.int8),
        columns=np.empty(lines, dtype=np.int8),
        tiles=np.empty(LANES, dtype=np.int64),
        left=np.empty(tiles, dtype=np.int64),
        s=np.empty((m, m)),
        x=np.empty((m, m), dtype=np.bool_),
        uv=np.empty((2, m)),
        floats=np.empty((3, m)),
        integers=np.empty((5, m), dtype=np.int64),
        done=np.empty(2 * m, dtype=np.bool_),
    )
