"""The exact engine against one pass over memory: `make bench-core`.

Every time is a median, taken in turn with a parallel numba pass ``mask = |w| > t`` over
the same matrix in the same process, and given as a multiple of that pass; solving is
`masksolve.solve` as users call it, certificate included. How many passes it takes depends
on the machine's memory as much as on the engine, so every table names the machine; to hold
builds against each other, give a BASE. Prints tables as it goes and leaves all figures in
bench-output/core.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

import numba
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import masksolve as ms

from .encoder import encoder_layers
from .machine import machine, versions
from .pages.findings import OUTPUT, cores_of
from .pages.table import Table, show

SIDE = 4096
TARGETS = {"2:4": (6, 2), "4:8": (10, 5), "8:16": (20, 12), "16:32": (40, 25)}
NEIGHBOURS = {
    "1:4": "2:4",
    "3:8": "4:8",
    "2:16": "8:16",
    "6:12": "8:16",
    "5:7": "4:8",
    "24:48": "16:32",
    "2:4,plain": "2:4",
    "4:8,plain": "4:8",
    "8:16,plain": "8:16",
    "2:4,at-most": "2:4",
    "4:8,at-most": "4:8",
    "8:16,at-most": "8:16",
    "16:32,at-most": "16:32",
}
MACHINE = machine()
ON = f"on {cores_of(MACHINE)}"
"""Stands above every table: no time and no pass is the same elsewhere."""
console = Console(width=110, highlight=False)

Matrix = NDArray[Any]


@numba.njit(parallel=True, cache=True)
def one_pass(w: Matrix, t: np.float32, mask: NDArray[np.bool_]) -> None:
    """Read a matrix once and write a mask."""
    for i in numba.prange(w.shape[0]):
        for j in range(w.shape[1]):
            mask[i, j] = abs(w[i, j]) > t


def seconds(*functions: Callable[[], object], repeats: int = 9) -> list[float]:
    """Return median times of functions that take turns, each warmed up once."""
    times: list[list[float]] = [[] for _ in functions]
    for k in range(repeats + 1):
        for function, found in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if k:
                found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def passer(w: Matrix) -> Callable[[], None]:
    """Make the pass over a matrix to measure by."""
    mask = np.empty(w.shape, dtype=np.bool_)
    return lambda: one_pass(w, np.float32(1.0), mask)


def normal(side: int, seed: int = 0) -> Matrix:
    """Make a square matrix of standard normal float32."""
    return np.random.default_rng(seed).standard_normal((side, side), dtype=np.float32)


def grids(w: Matrix) -> dict[str, Matrix]:
    """Round a matrix to the grids of narrow types; all stay float32."""
    import ml_dtypes

    scale = np.float32(127) / np.abs(w).max()
    return {
        "float32": w,
        "bf16 grid": w.astype(ml_dtypes.bfloat16).astype(np.float32),
        "int8 grid": np.round(w * scale),
    }


def measure(
    w: Matrix, pattern: str, *others: Callable[[], object], **options: Any
) -> dict[str, Any]:
    """Solve in turn with the pass, and with others."""
    solved, passed, *times = seconds(lambda: ms.solve(w, pattern, **options), passer(w), *others)
    result = ms.solve(w, pattern, **options)
    return {
        "pattern": pattern,
        "ms": 1e3 * solved,
        "pass_ms": 1e3 * passed,
        "passes": solved / passed,
        "ns_per_tile": 1e9 * solved / result.stats["tiles"],
        "proven": result.status is ms.Status.OPTIMAL,
        "gap": result.gap,
        "others_ms": [1e3 * t for t in times],
        "stages": {k[9:]: v for k, v in result.stats.items() if k.startswith("tiles_by_")},
    }


def speed() -> list[dict[str, Any]]:
    """Each pattern on float32 and on grids with ties."""
    head = (
        "pattern | scores | ms | passes | must | hope | ns/tile | proven | left after stage 1, 2, 3"
    )
    table = Table(f"4096 x 4096, {ON}", head, words=2)
    found = []
    for name, w in grids(normal(SIDE)).items():
        for pattern, (must, hope) in TARGETS.items():
            row = measure(w, pattern) | {"scores": name}
            ties = 1 if name == "float32" else 3
            tiles = sum(row["stages"].values())
            left = tiles - np.cumsum(list(row["stages"].values()))[:3]
            table.add(
                pattern,
                name,
                f"{row['ms']:.1f}",
                f"{row['passes']:.1f}",
                str(ties * must),
                str(ties * hope),
                f"{row['ns_per_tile']:.0f}",
                "all" if row["proven"] else "NO",
                "  ".join(f"{100 * x / tiles:.2f} %" for x in left),
            )
            found.append(row)
    show([table], console)
    return found


def neighbours() -> list[dict[str, Any]]:
    """Other patterns, plain ones and at-most-n, in turn with the pattern next to them."""
    head = "pattern | ms | passes | neighbour | times as long | proven"
    table = Table(f"other patterns, 4096 x 4096 float32, {ON}", head)
    found = []
    w = normal(SIDE)
    for pattern, neighbour in NEIGHBOURS.items():
        side = SIDE // ms.Pattern.parse(pattern).m * ms.Pattern.parse(pattern).m
        own = np.ascontiguousarray(w[:side, :side])
        row = measure(own, pattern, partial(ms.solve, w, neighbour))
        row["times_neighbour"] = row["ms"] / row["others_ms"][0] * (SIDE / side) ** 2
        table.add(
            pattern,
            f"{row['ms']:.1f}",
            f"{row['passes']:.1f}",
            neighbour,
            f"{row['times_neighbour']:.2f}",
            "all" if row["proven"] else "NO",
        )
        found.append(row)
    show([table], console)
    return found


def warm() -> list[dict[str, Any]]:
    """Solve again after a small relative change, from the earlier potentials."""
    head = "pattern | change | ms | passes | proven at once"
    table = Table(f"warm start, 4096 x 4096 float32, {ON}", head)
    found = []
    w = normal(SIDE)
    for pattern in TARGETS:
        earlier = ms.solve(w, pattern, potentials=True)
        for change in (1e-3, 1e-4):
            moved = w * (1 + np.float32(change) * normal(SIDE, seed=1))
            row = measure(moved, pattern, warm_start=earlier) | {"change": change}
            at_once = row["stages"]["warm_start"] / sum(row["stages"].values())
            table.add(
                pattern,
                f"{change:g}",
                f"{row['ms']:.1f}",
                f"{row['passes']:.1f}",
                f"{100 * at_once:.2f} %",
            )
            found.append(row)
    show([table], console)
    return found


def verdicts() -> list[dict[str, Any]]:
    """Judging a foreign mask (greedy's), cold, warm and in plain NumPy, against solving."""
    title = f"certify greedy's mask, 4096 x 4096 float32, ms, {ON}"
    table = Table(title, "pattern | solve | certify | from a warm start | plain=True")
    found = []
    w = normal(SIDE)
    for pattern in TARGETS:
        warm = ms.solve(w, pattern, potentials=True)
        mask = ms.solve(w, pattern, method="greedy").mask
        judge = partial(ms.certify, w, mask, pattern)
        times = seconds(
            partial(ms.solve, w, pattern),
            judge,
            partial(judge, warm_start=warm),
            partial(judge, plain=True),
            repeats=5,
        )
        table.add(pattern, *(f"{1e3 * t:.1f}" for t in times))
        names = ("solve", "certify", "warm", "plain")
        found.append({"pattern": pattern, **dict(zip(names, times, strict=True))})
    show([table], console)
    return found


def growth(largest: int) -> list[dict[str, Any]]:
    """Time per tile against size, and the speed-up of two threads."""
    table = Table(f"growth, 8:16, {ON}", "side | ms | ns/tile | one thread / all")
    found = []
    side = 512
    while side <= largest:
        w = normal(side)
        every, one = seconds(
            lambda w=w: ms.solve(w, "8:16"),  # type: ignore[misc]
            lambda w=w: ms.solve(w, "8:16", threads=1),  # type: ignore[misc]
            repeats=9 if side < 8192 else 3,
        )
        row = {
            "side": side,
            "ms": 1e3 * every,
            "ns_per_tile": 1e9 * every / (side // 16) ** 2,
            "speed_up": one / every,
        }
        table.add(str(side), f"{row['ms']:.2f}", f"{row['ns_per_tile']:.0f}", f"{one / every:.2f}")
        found.append(row)
        side *= 2
    show([table], console)
    return found


def encoder() -> dict[str, float]:
    """All linear layers of the demo's encoder."""
    layers = encoder_layers()
    found = {}
    for pattern in TARGETS:
        (total,) = seconds(lambda p=pattern: [ms.solve(w, p) for w in layers.values()])  # type: ignore[misc]
        found[pattern] = total
    each = ", ".join(f"{p} {s:.3f} s" for p, s in found.items())
    console.print(f"encoder, 36 layers, {ON}: {each}")
    return found


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=16384, help="largest side for growth")
    options = parser.parse_args()
    found: dict[str, Any] = {
        "machine": MACHINE,
        "versions": versions(["masksolve", "numpy", "numba"]),
    }
    console.print(", ".join(f"{k} {v}" for k, v in found["machine"].items()))
    found["speed"] = speed()
    found["neighbours"] = neighbours()
    found["warm"] = warm()
    found["verdicts"] = verdicts()
    found["growth"] = growth(options.largest)
    found["encoder"] = encoder()
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / "core.json"
    path.write_text(json.dumps(found, indent=1))
    console.print(f"wrote {path}")


if __name__ == "__main__":
    main()
