"""What the engine works in: scratch arrays, allocated once a box, and what it counts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.augment import Search, search_space
from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, pointer

__all__ = ["COUNTS", "Lanes", "Output", "Tile", "Workspace", "lanes_of", "workspace"]

COUNTS = ("rounds", "more_rounds", "ties", "paths", "augmentations", "unproven", "open")
"""`Workspace.counts` by name: the tiles proven in each of the four stages, augmenting paths,
tiles that remain unproven, and gaps that are not zero."""
ROUNDS, MORE_ROUNDS, TIES, PATHS, AUGMENTATIONS, UNPROVEN, OPEN = range(len(COUNTS))


class Tile(NamedTuple):
    """A single tile, for the last stage and for writing."""

    s: NDArray[np.float64]
    x: NDArray[np.bool_]
    u: NDArray[np.float64]
    v: NDArray[np.float64]
    search: Search


class Lanes(NamedTuple):
    """Sixteen tiles, flat; in kernels by bare pointers, which cost no counting of references."""

    E: Any  # entries, in the precision in which they are exact
    S: Any  # the same in single precision; E itself if that is exact
    P: Any  # the same with noise
    U: Any
    V: Any
    U64: Any
    V64: Any
    floor: Any
    scale: Any
    inverse: Any
    sizes: Any
    kept: Any
    gaps: Any
    total: Any
    X: Any
    rows: Any
    columns: Any
    tiles: Any


class Workspace(NamedTuple):
    """Scratch of one thread for boxes of some tiles."""

    lanes: Lanes
    left: NDArray[np.int64]  # tiles that stage 1 leaves, and their column potentials
    left_V: NDArray[np.float32]
    open_tiles: NDArray[np.int64]  # of tiles whose gap is not zero
    open_gaps: NDArray[np.float64]
    rest: NDArray[np.float64]  # kept scores that are not in total
    counts: NDArray[np.int64]  # see `COUNTS`
    tile: Tile


class Output(NamedTuple):
    """Where answers go."""

    mask: NDArray[np.int8]
    u: NDArray[np.float64]
    v: NDArray[np.float64]
    open_tiles: NDArray[np.int64]
    open_gaps: NDArray[np.float64]
    rest: NDArray[np.float64]
    counts: NDArray[np.int64]


def workspace(m: int, tiles: int, double: bool) -> Workspace:
    """Allocate scratch for boxes of up to `tiles` tiles; `double`: of float64 entries."""
    entries, lines = m * m * LANES, m * LANES
    single = np.empty(entries, dtype=np.float32)
    lanes = Lanes(
        E=np.empty(entries) if double else single,
        S=single,
        P=np.empty(entries, dtype=np.float32),
        U=np.empty(lines, dtype=np.float32),
        V=np.empty(lines, dtype=np.float32),
        U64=np.empty(lines),
        V64=np.empty(lines),
        floor=np.full(LANES, -np.inf, dtype=np.float32),
        scale=np.empty(LANES),
        inverse=np.empty(LANES),
        sizes=np.empty(LANES),
        kept=np.empty(LANES),
        gaps=np.empty(LANES),
        total=np.zeros(LANES),
        X=np.empty(entries, dtype=np.int8),
        rows=np.empty(lines, dtype=np.int8),
        columns=np.empty(lines, dtype=np.int8),
        tiles=np.empty(LANES, dtype=np.int64),
    )
    return Workspace(
        lanes,
        left=np.empty(tiles, dtype=np.int64),
        left_V=np.empty((tiles, m), dtype=np.float32),
        open_tiles=np.empty(tiles, dtype=np.int64),
        open_gaps=np.empty(tiles),
        rest=np.zeros(1),
        counts=np.zeros(len(COUNTS), dtype=np.int64),
        tile=Tile(
            np.empty((m, m)),
            np.empty((m, m), dtype=np.bool_),
            np.empty(m),
            np.empty(m),
            search_space(m),
        ),
    )


@kernel
def lanes_of(w):
    """Return pointers to the arrays of a workspace, which must be kept alive."""
    a = w.lanes
    return Lanes(
        pointer(a.E),
        pointer(a.S),
        pointer(a.P),
        pointer(a.U),
        pointer(a.V),
        pointer(a.U64),
        pointer(a.V64),
        pointer(a.floor),
        pointer(a.scale),
        pointer(a.inverse),
        pointer(a.sizes),
        pointer(a.kept),
        pointer(a.gaps),
        pointer(a.total),
        pointer(a.X),
        pointer(a.rows),
        pointer(a.columns),
        pointer(a.tiles),
    )
