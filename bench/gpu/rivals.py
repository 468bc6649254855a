"""The exact solver beside the other methods on the same device: time and loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import masksolve as ms
from masksolve.torch.arrays import as_array
from masksolve.torch.batched import solve_batched

from .clock import medians
from .exact import Row, failing, seconds_of_first, solve
from .sizes import KINDS, Sizes, make_weights

__all__ = ["compare"]

ROUNDS = 200
"""The entropic method's own number of rounds."""


def compare(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Time all methods in turn, and set what they keep against the CPU engine's optimum."""
    side = sizes.sides[-1]
    for kind in KINDS:
        weights = make_weights(kind, side, device)
        for pattern in sizes.compared:
            rows = []
            calls = {}
            for name, call in _calls(weights, pattern, sizes).items():
                row: Row = {"pattern": pattern, "weights": kind, "side": side, "method": name}
                with failing(row):
                    row["first_seconds"] = seconds_of_first(call, device)
                    calls[name] = call
                rows.append(row)
            took = medians(calls, device, sizes.rounds)
            best = ms.solve(as_array(weights), pattern).objective
            for row in rows:
                if row["method"] in calls:
                    with failing(row):
                        row |= _quality(weights, calls[row["method"]](), pattern, best)
                        row["seconds"] = took[row["method"]]
                yield row


def _calls(weights: Tensor, pattern: str, sizes: Sizes) -> dict[str, Callable[[], Tensor]]:
    p = ms.Pattern.parse(pattern)

    def by(method: str, **options: float) -> Callable[[], Tensor]:
        return lambda: solve_batched(
            weights, p.n, p.m, method=method, at_most=p.at_most, options=options
        )

    calls: dict[str, Callable[[], Tensor]] = {"exact": lambda: solve(weights, pattern).mask}
    calls |= {method: by(method) for method in ("two_approx", "greedy")}
    for rounds in sizes.entropic_rounds:
        name = "entropic" if rounds == ROUNDS else f"entropic, {rounds} rounds"
        calls[name] = by("entropic", rounds=rounds)
    return calls


def _kept(weights: Tensor, mask: Tensor) -> float:
    return float((weights.double().abs() * mask).sum())


def _quality(weights: Tensor, mask: Tensor, pattern: str, best: float) -> dict[str, Any]:
    p = ms.Pattern.parse(pattern)
    tiles = mask[0].unflatten(1, (-1, p.m)).unflatten(0, (-1, p.m))
    full = [(tiles.sum(axis) == p.n).double().mean() for axis in (1, 3)]
    return {"loss": 1 - _kept(weights, mask) / best, "short_lines": 1 - float(sum(full)) / 2}
