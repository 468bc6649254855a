"""The exact solver on a device: cold, warm and replayed from a graph, beside a copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import masksolve as ms
from masksolve.torch.arrays import as_array
from masksolve.torch.gpu.solver import DeviceSolution, solve_on_device

from .clock import medians
from .sizes import KINDS, Sizes, make_weights

__all__ = ["Row", "cold", "failing", "graphs", "seconds_of_first", "solve", "warm"]

Row = dict[str, Any]


def solve(weights: Tensor, pattern: str, **options: Any) -> DeviceSolution:
    """Solve for a pattern."""
    p = ms.Pattern.parse(pattern)
    return solve_on_device(weights, p.n, p.m, at_most=p.at_most, **options)


@contextmanager
def failing(row: Row) -> Iterator[None]:
    """Note in a row what went wrong, if anything: the other rows are worth having."""
    row["failed"] = ""
    try:
        yield
    except Exception as error:
        row["failed"] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def seconds_of_first(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds until the host has a call's result, compiling included."""
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def cold(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Solve every kind of weights in every pattern, in turn with a copy of the weights."""
    for side in sizes.sides:
        for kind in KINDS:
            weights = make_weights(kind, side, device)
            for pattern in sizes.patterns:
                row: Row = {"pattern": pattern, "weights": kind, "side": side}
                with failing(row):
                    row |= _cold(weights, pattern, sizes.rounds, device)
                yield row


def _cold(weights: Tensor, pattern: str, rounds: int, device: torch.device) -> Row:
    first = seconds_of_first(lambda: solve(weights, pattern), device)
    second = seconds_of_first(lambda: solve(weights, pattern), device)
    took = _beside_copy(weights, pattern, rounds, device)
    peak, found = _with_peak(lambda: solve(weights, pattern), device)
    engine = ms.solve(as_array(weights), pattern)
    bad, unproven, *_ = found.flags.tolist()
    kept = float(found.kept.sum())
    return {
        "tiles": len(found.kept),
        "seconds": took["exact"],
        "copy_seconds": took["copy"],
        "copies": took["exact"] / took["copy"],
        "first_seconds": first,
        "compile_seconds": max(0.0, first - second),
        "peak_bytes": peak,
        "weight_bytes": weights.numel() * weights.element_size(),
        "proven": 0.0 if bad else 1 - unproven / len(found.kept),
        "gap": float(found.gaps.sum()) / kept,
        "engine_difference": abs(kept - engine.objective) / engine.objective,
        "engine_seconds": engine.stats["seconds"],
    }


def _beside_copy(
    weights: Tensor, pattern: str, rounds: int, device: torch.device
) -> dict[str, float]:
    target = torch.empty_like(weights)
    ways = {"exact": lambda: solve(weights, pattern), "copy": lambda: target.copy_(weights)}
    return medians(ways, device, rounds)


def _with_peak(
    call: Callable[[], DeviceSolution], device: torch.device
) -> tuple[int | None, DeviceSolution]:
    """Return the most bytes that a call held at once, its result included."""
    if device.type != "cuda":
        return None, call()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    found = call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before, found


def warm(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Solve again after a small relative change, cold and from the earlier potentials."""
    weights = make_weights("float32", sizes.sides[-1], device)
    noise = make_weights("float32", sizes.sides[-1], device, seed=1)
    for pattern in sizes.compared:
        for change in sizes.changes:
            row: Row = {"pattern": pattern, "side": sizes.sides[-1], "change": change}
            with failing(row):
                moved = weights * (1 + change * noise)
                start = solve(weights, pattern, potentials=True).column_potentials
                row |= _warm(moved, pattern, start, sizes.rounds, device)
            yield row


def _warm(
    weights: Tensor, pattern: str, start: Tensor | None, rounds: int, device: torch.device
) -> Row:
    def warmly() -> DeviceSolution:
        return solve(weights, pattern, start=start, potentials=True)

    ways = {"cold": lambda: solve(weights, pattern, potentials=True), "warm": warmly}
    found = warmly()
    proven = 1 - int(found.flags[1]) / len(found.kept)
    return medians(ways, device, rounds) | {"proven": proven}


def graphs(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Replay the solver from a CUDA graph, with other weights than it was captured with."""
    if device.type != "cuda":
        return
    for pattern in sizes.compared:
        row: Row = {"pattern": pattern, "side": sizes.sides[-1]}
        with failing(row):
            row |= _graph(pattern, sizes, device)
        yield row


def _graph(pattern: str, sizes: Sizes, device: torch.device) -> Row:
    weights = make_weights("float32", sizes.sides[-1], device)
    solve(weights, pattern)  # nothing is compiled while a graph is captured
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = solve(weights, pattern)
    weights.copy_(make_weights("float32", sizes.sides[-1], device, seed=1))
    graph.replay()
    same = torch.equal(found.mask, solve(weights, pattern).mask)
    took = medians(
        {"launched": lambda: solve(weights, pattern), "replayed": graph.replay},
        device,
        sizes.rounds,
    )
    return took | {"same": same}
