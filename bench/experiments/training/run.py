"""One training run: a task, an arm, a seed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import masksolve.torch as mst

from ...learning.digits import Batch
from ...learning.transformer import in_body
from ...pages.findings import significant
from .arms import WINDOW, Arm
from .findings import Run
from .tasks import Task

__all__ = ["train"]

DIGITS, FEWER = 4, 3
"""Of what the file holds: of losses, and of shares of masks."""


@dataclass
class _Log:
    """Collects a run's curves."""

    handle: Any
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    flips: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)

    def held_out(self, network: nn.Module, batches: list[Batch]) -> None:
        """Note how the network does on what is held out."""
        loss, accuracy = _evaluate(network, batches)
        self.loss.append(loss)
        self.accuracy.append(accuracy)

    def masks(self, since: int, until: int) -> None:
        """Note what became of the masks between two looks."""
        if self.handle is None:
            return
        records = [r.whole for r in self.handle.history.records if since < r.step <= until]
        self.flips.append(fmean([record.flip_rate for record in records]))
        self.kept.append(records[-1].kept_share)
        moved = self.handle.history.sad(until - WINDOW, until)
        self.moved.append(moved / records[-1].size)


def train(task: Task, arm: Arm, seed: int) -> Run:
    """Train once.

    Of a task and a seed, all arms get the same first weights and the same batches. Held-out
    figures are those of the masks that the last step was made with.

    Parameters
    ----------
    task : Task
        Its steps must be a multiple of its looks.
    arm : Arm
    seed : int
    """
    start = time.perf_counter()
    data, network = task.make_data(seed), task.make_network(seed)
    held_out = data.held_out()
    handle = _sparsified(network, arm)
    log = _Log(handle)
    optimizer = task.make_optimizer(network)
    for step, rate in enumerate(task.rates(arm.rate), start=1):
        optimizer.param_groups[0]["lr"] = rate
        inputs, targets = data.next()
        optimizer.zero_grad()
        _loss(network(inputs), targets).backward()
        optimizer.step()
        look = step % task.check == 0
        if look:
            log.held_out(network, held_out)
        if handle is not None:
            handle.step()
        if look:
            log.masks(step - task.check, step)
    return {
        "task": task.name,
        "arm": arm.label,
        "seed": seed,
        "loss": _short(log.loss),
        "accuracy": _short(log.accuracy),
        "flips": _short(log.flips, FEWER),
        "moved": _short(log.moved, FEWER),
        "kept": _short(log.kept, FEWER),
        "density": round(_density(handle), DIGITS),
        "seconds": round(time.perf_counter() - start, 2),
    }


def _sparsified(network: nn.Module, arm: Arm) -> Any:
    if arm.pattern is None:
        return None
    return mst.sparsify(
        network,
        arm.pattern,
        select=in_body,
        estimator=arm.estimator,
        decay=arm.decay,
        method=arm.method,
        refresh_every=arm.every,
        threads=1,
    )


def _loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


@torch.no_grad()
def _evaluate(network: nn.Module, batches: list[Batch]) -> tuple[float, float]:
    """Return the mean loss, and the share that is right."""
    network.eval()
    loss = right = number = 0.0
    for inputs, targets in batches:
        logits, count = network(inputs), float(targets.numel())
        loss += count * float(_loss(logits, targets))
        right += float((logits.argmax(dim=-1) == targets).sum())
        number += count
    network.train()
    return loss / number, right / number


def _density(handle: Any) -> float:
    if handle is None:
        return 1.0
    masks = torch.cat([mask.flatten() for mask in handle.masks.values()])
    return float(masks.double().mean())


def _short(values: list[float], digits: int = DIGITS) -> list[float]:
    return [significant(value, digits) for value in values]
