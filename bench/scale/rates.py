"""What the machine can do at best: the engine on arrays in memory, and the disk."""

from __future__ import annotations

import mmap
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import ml_dtypes
import numpy as np

import masksolve as ms

__all__ = ["copy_rate", "engine_rate", "forget", "read_rate"]

PIECE = 1 << 22


def engine_rate(pattern: str, repeats: int = 5) -> float:
    """Return the bytes of bfloat16 weights that are solved in memory in a second."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((4096, 14336), dtype=np.float32).astype(ml_dtypes.bfloat16)
    times = []
    for k in range(repeats + 1):
        start = time.perf_counter()
        ms.solve(weights, pattern)
        if k:
            times.append(time.perf_counter() - start)
    return weights.nbytes / statistics.median(times)


def forget(folder: Path) -> None:
    """Let the system drop the files of a folder from memory, so that the disk is read."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_rate(folder: Path) -> float:
    """Return the bytes a second at which files come from the disk, read or mapped."""
    return max(_rate(folder, _read), _rate(folder, _map))


def copy_rate(folder: Path, target: Path) -> float:
    """Return the bytes a second at which they can be copied on the disk, for good."""
    try:
        with target.open("wb", buffering=0) as out:
            return _rate(folder, lambda path: _read(path, out))
    finally:
        target.unlink(missing_ok=True)


def _rate(folder: Path, work: Callable[[Path], None]) -> float:
    forget(folder)
    paths = sorted(folder.glob("*.safetensors"))
    start = time.perf_counter()
    for path in paths:
        work(path)
    return sum(path.stat().st_size for path in paths) / (time.perf_counter() - start)


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
