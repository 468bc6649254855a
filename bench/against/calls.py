"""Calls for one tile or a few, on demand, and what they cost; run as a file, as `problems` is.

Gets lines "call side pattern dtype", and answers each with a call's seconds of the thread's CPU
time, the median of some.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import cache

import ml_dtypes
import numpy as np

import masksolve as ms

REPEATS = 50


@cache
def caller(call: str, side: int, pattern: str, dtype: str) -> Callable[[], object]:
    """Prepare a call: "solve", "certify", "repair" or the name of a method."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    weights = np.random.default_rng(0).standard_normal((side, side)).astype(kind)
    mask = ms.solve(weights, pattern, method="greedy").mask
    if call == "certify":
        return lambda: ms.certify(weights, mask, pattern, threads=1)
    if call == "repair":
        return lambda: ms.repair(weights, mask, pattern, threads=1)
    method = "exact" if call == "solve" else call
    return lambda: ms.solve(weights, pattern, method=method, threads=1)


def seconds(function: Callable[[], object]) -> float:
    """Time calls one by one."""
    times = []
    for _ in range(REPEATS):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return statistics.median(times)


if __name__ == "__main__":
    for line in sys.stdin:
        call, side, pattern, dtype = line.split()
        print(seconds(caller(call, int(side), pattern, dtype)), flush=True)
