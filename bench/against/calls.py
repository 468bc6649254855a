"""Calls on demand, and what they take; run as a file, as `problems` is.

Says which masksolve it has got. Then it gets lines of JSON, a `groups.Call` each, and answers
each with ``{"seconds": ...}``, the median of some calls, or with ``{"reason": ...}``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import masksolve as ms

ENOUGH = 0.02
"""Seconds: short calls are repeated for so long."""


@lru_cache(maxsize=4)
def weights_of(kind: str, side: int) -> NDArray[Any]:
    """Make normal weights of a dtype; of a "... grid": float32, rounded to it, full of ties."""
    w: NDArray[Any] = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)
    dtype, _, grid = kind.partition(" ")
    if grid and dtype == "int8":
        w *= np.float32(127) / np.abs(w).max()
        return np.round(w)
    w = w.astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    return w.astype(np.float32) if grid else w


@lru_cache(maxsize=4)
def prepared(
    call: str, pattern: str, side: int, weights: str, threads: int | None
) -> Callable[[], object]:
    """Prepare a call: "solve", "certify" or "repair" of greedy's mask, or a method's name."""
    w = weights_of(weights, side)
    options: dict[str, Any] = {} if threads is None else {"threads": threads}
    if call in ("certify", "repair"):
        mask = ms.solve(w, pattern, method="greedy").mask
        return partial(getattr(ms, call), w, mask, pattern, **options)
    method = "exact" if call == "solve" else call
    return partial(ms.solve, w, pattern, method=method, **options)


def seconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time calls one by one."""
    times: list[float] = []
    end = time.perf_counter() + ENOUGH
    while not times or time.perf_counter() < end:
        start = clock()
        function()
        times.append(clock() - start)
    return statistics.median(times)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Time a call: by the wall, or one on a single thread by what that thread has run."""
    clock = time.perf_counter if asked["threads"] is None else time.thread_time
    try:
        return {"seconds": seconds(prepared(**asked), clock)}
    except Exception as error:  # an older build may lack it
        return {"reason": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    print(ms.__file__, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
