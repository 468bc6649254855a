"""What the engine works in: scratch arrays, allocated once a box, and what it counts."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.augment import Search, search_space
from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, pointer
from masksolve.kernels.strict_certifier import words_of

__all__ = [
    "COUNTS",
    "Lanes",
    "Output",
    "Tile",
    "Workspace",
    "lanes_of",
    "own_workspace",
    "workspace",
]

COUNTS = ("rounds", "more_rounds", "ties", "paths", "augmentations", "unproven", "open")
"""`Workspace.counts` by name: the tiles proven in stages 1, 2 and 4, 3, and 5, augmenting paths,
tiles that remain unproven, and gaps that are not zero."""
CACHE_LINE = 64
ROUNDS, MORE_ROUNDS, TIES, PATHS, AUGMENTATIONS, UNPROVEN, OPEN = range(len(COUNTS))


class Tile(NamedTuple):
    """A single tile of side m, for the last stage."""

    s: NDArray[np.float64]  # (m, m)
    x: NDArray[np.bool_]  # (m, m)
    uv: NDArray[np.float64]  # (2, m)
    search: Search


class Workspace(NamedTuple):
    """Scratch of one thread for a box of some tiles."""

    entries: NDArray[Any]  # of sixteen tiles, in the precision in which they are exact
    singles: NDArray[np.float32]  # the other lanes, see `lanes_of`
    doubles: NDArray[np.float64]
    bytes: NDArray[np.int8]
    words: NDArray[np.uint32]
    narrow: NDArray[np.int16]
    stack: NDArray[np.floating[Any]]  # tiles' rows side by side: see `Lanes`
    flags: NDArray[np.int8]
    tiles: NDArray[np.int64]
    left: NDArray[np.int64]  # tiles that stage 1 leaves, and their column potentials
    left_V: NDArray[np.float32]
    open_tiles: NDArray[np.int64]  # tiles whose gap is not zero
    open_gaps: NDArray[np.float64]
    counts: NDArray[np.int64]  # see `COUNTS`
    tile: Tile


class Output(NamedTuple):
    """Where answers go, by bare pointers."""

    mask: Any
    stride: int  # bytes from row to row of the mask
    potentials: bool  # whether they are asked for
    u: Any
    v: Any
    open_tiles: Any
    open_gaps: Any
    counts: Any


class Lanes(NamedTuple):
    """Sixteen tiles, flat, by bare pointers: they cost no counting of references."""

    E: Any  # entries, in the precision in which they are exact
    S: Any  # the same in single precision; E itself if that is exact
    P: Any  # the same with noise
    U: Any  # row and column potentials
    V: Any
    floor: Any
    U64: Any  # the same in double precision
    V64: Any
    scale: Any
    inverse: Any
    sizes: Any
    room: Any
    kept: Any
    gaps: Any
    total: Any
    rest: Any  # one number: kept scores that are not in total
    X: Any  # masks, and what their lines hold
    rows: Any
    columns: Any
    tiles: Any
    words: Any  # masks, four entries to a word of lanes
    N: Any  # scores in narrow steps, the steps, and what scores count from
    step: Any
    base: Any
    U16: Any  # row and column potentials in them, and what they are at least
    V16: Any
    least_u: Any
    least_v: Any
    stack: Any  # tiles' rows side by side, and their masks'
    flags: Any
    above: Any  # scores and potentials in whole numbers: see `whole_prover`
    below: Any
    UW: Any
    VW: Any
    waiting: Any  # how many tiles wait for more rounds, and which
    waiting_rows: Any  # their rows, sixteen side by side, and sixteen more
    waiting_V: Any


def workspace(m: int, tiles: int, double: bool) -> Workspace:
    """Allocate scratch for boxes of up to `tiles` tiles; `double`: of float64 entries."""
    entries, lines = m * m * LANES, m * LANES
    singles = _aligned(2 * entries + 4 * lines + 3 * LANES, np.float32)
    return Workspace(
        _aligned(entries, np.float64) if double else singles,
        singles,
        doubles=_aligned(2 * lines + 8 * LANES, np.float64),
        bytes=_aligned(entries + 2 * lines, np.int8),
        words=_aligned(m * words_of(m) * LANES + 2 * entries + 2 * lines, np.uint32),
        narrow=_aligned(entries + 4 * lines, np.int16),
        stack=_aligned(3 * entries, np.float64 if double else np.float32),
        flags=_aligned(entries, np.int8),
        tiles=np.empty(1 + 3 * LANES, dtype=np.int64),
        left=np.empty(tiles, dtype=np.int64),
        left_V=np.empty((tiles, m), dtype=np.float32),
        open_tiles=np.empty(tiles, dtype=np.int64),
        open_gaps=np.empty(tiles),
        counts=np.zeros(len(COUNTS), dtype=np.int64),
        tile=Tile(
            np.empty((m, m)), np.empty((m, m), dtype=np.bool_), np.empty((2, m)), search_space(m)
        ),
    )


SPARE_BYTES = 1 << 22
"""A thread keeps no larger workspace for its next box."""
_OWN = threading.local()


def own_workspace(m: int, tiles: int, double: bool) -> Workspace:
    """Return a workspace of this thread's own, counts at zero, which its next one overwrites.

    Allocating one takes as long as solving a tile.
    """
    kind, found = (m, double), getattr(_OWN, "space", None)
    if found is None or _OWN.kind != kind or len(found.left) < tiles:
        found = workspace(m, tiles, double)
        if sum(array.nbytes for array in found[:-1]) <= SPARE_BYTES:
            _OWN.kind, _OWN.space = kind, found
    found.counts.fill(0)
    return found


def _aligned(count: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Allocate from the start of a cache line: vectors across two of them take twice as long."""
    room = np.empty(count * np.dtype(dtype).itemsize + CACHE_LINE, dtype=np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : len(room) - CACHE_LINE + start].view(dtype)


@kernel
def lanes_of(w, m):
    """Return pointers into a workspace, which must be kept alive."""
    entries, lines = m * m * LANES, m * LANES
    singles, doubles, narrow, after = w.singles, w.doubles, w.narrow, 2 * m * LANES
    words = m * ((m + 3) // 4) * LANES
    return Lanes(
        pointer(w.entries, 0),
        pointer(singles, 0),
        pointer(singles, entries),
        pointer(singles, 2 * entries),
        pointer(singles, 2 * entries + lines),
        pointer(singles, 2 * entries + 2 * lines),
        pointer(doubles, 0),
        pointer(doubles, lines),
        pointer(doubles, after),
        pointer(doubles, after + LANES),
        pointer(doubles, after + 2 * LANES),
        pointer(doubles, after + 3 * LANES),
        pointer(doubles, after + 4 * LANES),
        pointer(doubles, after + 5 * LANES),
        pointer(doubles, after + 6 * LANES),
        pointer(doubles, after + 7 * LANES),
        pointer(w.bytes, 0),
        pointer(w.bytes, entries),
        pointer(w.bytes, entries + lines),
        pointer(w.tiles, 0),
        pointer(w.words, 0),
        pointer(narrow, 0),
        pointer(singles, 2 * entries + 2 * lines + LANES),
        pointer(singles, 2 * entries + 2 * lines + 2 * LANES),
        pointer(narrow, entries),
        pointer(narrow, entries + lines),
        pointer(narrow, entries + 2 * lines),
        pointer(narrow, entries + 3 * lines),
        pointer(w.stack, 0),
        pointer(w.flags, 0),
        pointer(w.words, words),
        pointer(w.words, words + entries),
        pointer(w.words, words + 2 * entries),
        pointer(w.words, words + 2 * entries + lines),
        pointer(w.tiles, LANES),
        pointer(w.stack, entries),
        pointer(singles, 2 * entries + 2 * lines + 3 * LANES),
    )
