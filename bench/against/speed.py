"""Solves on demand and says how long it took; run as a file, as `problems` is.

Gets lines "pattern grid", and answers each with seconds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import masksolve as ms

SIDE = 4096


def grids() -> dict[str, NDArray[Any]]:
    """Make a matrix of normal weights, and round it to grids full of ties; all float32."""
    w = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    return {
        "float32": w,
        "bfloat16": w.astype(ml_dtypes.bfloat16).astype(np.float32),
        "int8": np.round(w * (np.float32(127) / np.abs(w).max())),
    }


if __name__ == "__main__":
    made = grids()
    for line in sys.stdin:
        pattern, grid = line.split()
        start = time.perf_counter()
        ms.solve(made[grid], pattern)
        print(time.perf_counter() - start, flush=True)
