"""Loops that take turns: their steps, their renewals, and others' renewals of the same masks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch.nn import functional

import masksolve as ms
import masksolve.torch as mst
from masksolve.inputs import as_threads
from masksolve.problem import Problem
from masksolve.solving import task_of
from masksolve.tasks import Task, run_together

from ..contestants import contestants
from ..learning.digits import Batch
from ..learning.text import ALPHABET, Characters
from ..learning.transformer import Transformer, in_body
from ..machine import machine, versions
from ..registry import Contestant
from ..tiling import run

__all__ = ["SELDOM", "Loop", "measure"]

WIDTH, BLOCKS, BATCH, LENGTH = 512, 4, 8, 128
RATE = 3e-4
SELDOM = 40
NEVER = 1 << 60
WARM_UP = 3
PATTERN, OTHERS = "4:8", ("2:4", "8:16")
RIVALS = ("torch 2-approximation", "OR-Tools, tile by tile")
PARTS = 10
"""Renewals that are taken apart."""


@dataclass
class Loop:
    """A network that is trained step by step, and the times of its steps.

    Parameters
    ----------
    pattern : str or None
        None: dense.
    every : int
        Steps between renewals.
    width, blocks : int
        Of the network.
    """

    pattern: str | None
    every: int
    width: int
    blocks: int
    steps: list[float] = field(default_factory=list)
    renewals: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self._network = Transformer(len(ALPHABET), self.width, self.blocks, LENGTH)
        self.handle: mst.Handle | None = None
        if self.pattern is not None:
            self.handle = mst.sparsify(
                self._network, self.pattern, select=in_body, refresh_every=self.every
            )
        self._optimizer = torch.optim.AdamW(self._network.parameters(), RATE)

    @property
    def name(self) -> str:
        """Say what it does."""
        if self.pattern is None:
            return "dense"
        often = {1: "at every step", NEVER: "never"}.get(self.every, f"every {self.every}")
        return f"{self.pattern} exact, renewed {often}"

    def train(self, batch: Batch) -> None:
        """Take a step, but leave the masks as they are."""
        inputs, targets = batch
        self._optimizer.zero_grad()
        logits = self._network(inputs).flatten(0, 1)
        functional.cross_entropy(logits, targets.flatten()).backward()
        self._optimizer.step()

    def step(self, batch: Batch) -> None:
        """Take a step as a user does, and note its time."""
        start = time.perf_counter()
        self.train(batch)
        if self.handle is not None:
            trained = time.perf_counter()
            self.handle.step()
            if self.handle.steps % self.every == 0:
                self.renewals.append(time.perf_counter() - trained)
        self.steps.append(time.perf_counter() - start)

    def forget(self) -> None:
        """Forget the times so far: of warming up."""
        self.steps.clear()
        self.renewals.clear()


def measure(
    rounds: int, rival_renewals: int, console: Console, width: int = WIDTH, blocks: int = BLOCKS
) -> dict[str, Any]:
    """Time everything.

    Parameters
    ----------
    rounds : int
        In each of them every loop takes a step.
    rival_renewals : int
        Of each rival.
    console : Console
        For the progress.
    width, blocks : int
        Of the network.
    """
    ways = [
        (None, NEVER),
        *((PATTERN, every) for every in (NEVER, SELDOM, 1)),
        *((pattern, 1) for pattern in OTHERS),
    ]
    loops = [Loop(pattern, every, width, blocks) for pattern, every in ways]
    data = Characters(0, LENGTH, BATCH, held=1)
    for k in track(range(WARM_UP + rounds), "training", console=console):
        batch = data.next()
        if k == WARM_UP:
            for loop in loops:
                loop.forget()
        for loop in _rotated(loops, k):
            loop.step(batch)
    dense, chief = loops[0], loops[3]
    assert chief.handle is not None
    step = statistics.median(dense.steps)
    found = {
        "machine": machine(),
        "versions": versions(("masksolve", "numba", "numpy", "ortools", "torch")),
        "threads": torch.get_num_threads(),
        "network": {
            "width": width,
            "blocks": blocks,
            "batch": BATCH,
            "length": LENGTH,
            "masked": sum(mask.numel() for mask in chief.handle.masks.values()),
        },
        "rounds": rounds,
        "seldom": SELDOM,
        "loops": [_cost(loop, dense) for loop in loops],
        "parts": _parts(chief, data),
    }
    known = contestants()
    found["rivals"] = [
        _rival(known[name], chief.handle, step, track(range(rival_renewals), name, console=console))
        for name in RIVALS
    ]
    return found


def _rotated(loops: Sequence[Loop], k: int) -> Iterator[Loop]:
    """Yield all loops, from another one each time: none always comes after the same."""
    for j in range(len(loops)):
        yield loops[(j + k) % len(loops)]


def _cost(loop: Loop, dense: Loop) -> dict[str, Any]:
    """Set a loop's steps against the dense ones, round by round."""
    ratios = [ours / theirs for ours, theirs in zip(loop.steps, dense.steps, strict=True)]
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
    step = statistics.median(dense.steps)
    renewal = statistics.median(loop.renewals) if loop.renewals else None
    return {
        "loop": loop.name,
        "pattern": loop.pattern,
        "every": None if loop.every == NEVER else loop.every,
        "step": statistics.median(loop.steps),
        "ratio": ratio,  # to the dense step of the same round: median and quartiles
        "low": low,
        "high": high,
        "mean_ratio": sum(loop.steps) / sum(dense.steps),
        "renewals": len(loop.renewals),
        "renewal": renewal,
        "share": None if renewal is None else renewal / loop.every / step,
    }


def _parts(loop: Loop, data: Characters) -> dict[str, float]:
    """Take renewals apart: each is solved once aside, from the same start, then made."""
    handle = loop.handle
    assert handle is not None
    solving, renewing = [], []
    for _ in range(PARTS):
        loop.train(data.next())
        start = time.perf_counter()
        tasks = [_task(layer) for layer in handle.layers]
        run_together(tasks, as_threads(None))
        for task in tasks:
            task.result()
        solved = time.perf_counter()
        handle.step()
        solving.append(solved - start)
        renewing.append(time.perf_counter() - solved)
    solve, renewal = statistics.median(solving), statistics.median(renewing)
    flips = [record.whole.flip_rate for record in handle.history.records[-PARTS:]]
    return {
        "renewal": renewal,
        "solve": solve,
        "rest": renewal - solve,
        "flip_rate": statistics.fmean(flips),
    }


def _task(layer: mst.Layer) -> Task:
    """Make a layer's masks ready to be solved as its handle has them solved."""
    last = layer.result
    assert isinstance(last, ms.MaskResult)
    warm = last.tiles.column_potentials is not None
    array, pattern = layer.weight.numpy(), layer.masked.pattern
    problem = Problem(array, pattern, np.abs, (0, 1), None, potentials=warm)
    return task_of(problem, "exact", warm_start=last if warm else None)


def _rival(
    rival: Contestant, handle: mst.Handle, step: float, renewals: Iterable[int]
) -> dict[str, Any]:
    """Time a rival on the weights whose masks are renewed, writing masks included."""
    if rival.missing():
        return {"name": rival.name, "missing": rival.missing()}
    seconds = []
    masks: list[torch.Tensor] = []
    for _ in renewals:
        start = time.perf_counter()
        masks = []
        for layer in handle.layers:
            pattern = layer.masked.pattern
            mask = run(rival, layer.weight.abs().numpy(), pattern.n, pattern.m)
            masks.append(torch.empty_like(layer.mask).copy_(torch.from_numpy(mask)))
        seconds.append(time.perf_counter() - start)
    kept = sum(
        float((layer.weight.abs() * mask).sum())
        for layer, mask in zip(handle.layers, masks, strict=True)
    )
    best = sum(float((layer.weight.abs() * layer.mask).sum()) for layer in handle.layers)
    renewal = statistics.median(seconds)
    return {
        "name": rival.name,
        "renewals": len(seconds),
        "renewal": renewal,
        "kept": kept / best,  # of what the exact masks keep
        "share_every_step": renewal / step,
        "share_seldom": renewal / SELDOM / step,
    }
