"""What the engine is told: a pattern with what is compiled for it, and a box."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Job", "Program"]


class Program(NamedTuple):
    """A pattern, and the addresses of what is compiled for it."""

    n: int
    m: int
    times: int
    strict: bool  # whether the strict certificate does
    most: np.float32  # what scores are scaled to in narrow rounds
    find_room: int
    coarsen: int
    relax: int
    refine: int
    widen: int
    set_rows: int
    certify: int
    load_rows: int
    store_rows: int
    load_potentials: int
    store_potentials: int
    prove: int
    prove_whole: int  # 0 for float64 scores


class Job(NamedTuple):
    """What is asked of a box, by bare pointers."""

    entries: Any
    stride: int  # entries from row to row
    across: int  # tiles in a row of tiles
    magnitude: int
    at_most: bool
    noise: Any
    start: Any  # column potentials to start from
    warm: bool  # whether there are any
