"""What the machine can do at best: the engine on arrays in memory, and the disk."""

from __future__ import annotations

import mmap
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import ml_dtypes
import numpy as np

import masksolve as ms

__all__ = ["Rate", "copy_rate", "engine_rate", "forget", "read_rate"]

PIECE = 1 << 22


class Rate(NamedTuple):
    """How fast bytes go by, and what a core has to do for each."""

    rate: float
    core_seconds: float

    def beside(self, other: Rate) -> float:
        """Return the rate at which both could go on at once on the cores of this machine."""
        cores = len(os.sched_getaffinity(0))
        return min(self.rate, other.rate, cores / (self.core_seconds + other.core_seconds))


def engine_rate(pattern: str, repeats: int = 5) -> Rate:
    """Return the bytes of bfloat16 weights that are solved in memory in a second."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((4096, 14336), dtype=np.float32).astype(ml_dtypes.bfloat16)
    ms.solve(weights, pattern)
    times = []
    busy = time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        ms.solve(weights, pattern)
        times.append(time.perf_counter() - start)
    busy = time.process_time() - busy
    return Rate(weights.nbytes / statistics.median(times), busy / repeats / weights.nbytes)


def forget(folder: Path) -> None:
    """Let the system drop the files of a folder from memory, so that the disk is read."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_rate(folder: Path) -> Rate:
    """Return the bytes a second at which files come from the disk, read or mapped."""
    return max(_rate(folder, _read), _rate(folder, _map))


def copy_rate(folder: Path, target: Path) -> Rate:
    """Return the bytes a second at which they can be copied on the disk, for good."""
    try:
        with target.open("wb", buffering=0) as out:
            return _rate(folder, lambda path: _read(path, out))
    finally:
        target.unlink(missing_ok=True)


def _rate(folder: Path, work: Callable[[Path], None]) -> Rate:
    forget(folder)
    paths = sorted(folder.glob("*.safetensors"))
    nbytes = sum(path.stat().st_size for path in paths)
    start, busy = time.perf_counter(), time.process_time()
    for path in paths:
        work(path)
    busy = time.process_time() - busy
    return Rate(nbytes / (time.perf_counter() - start), busy / nbytes)


def _read(path: Path, out: IO[bytes] | None = None) -> None:
    buffer = bytearray(PIECE)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            if out is not None:
                out.write(memoryview(buffer)[:count])
    if out is not None:
        os.fsync(out.fileno())


def _map(path: Path) -> None:
    np.memmap(path, dtype=np.uint8, mode="r")[:: mmap.PAGESIZE].max()
