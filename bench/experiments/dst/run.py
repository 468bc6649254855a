"""One training run: a network, an arm, a seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import masksolve.torch as mst
from masksolve.torch import dst

from ...learning.digits import Digits
from ...pages.findings import significant
from .arms import Arm
from .findings import Cut, Run
from .tasks import LEARNED, MAIN, PROJECTED, Task

__all__ = ["train"]

DIGITS = 5
"""Of what the file holds."""
EVERYWHERE = 0.01


@dataclass
class _Log:
    """Collects a run's curves, a value a look."""

    accuracy: list[float] = field(default_factory=list)
    remaining: list[float] = field(default_factory=list)
    layers: dict[str, list[float]] = field(default_factory=dict)
    thresholds: dict[str, list[float]] = field(default_factory=dict)
    patterns: dict[str, list[int]] = field(default_factory=dict)
    gone: dict[str, torch.Tensor] = field(default_factory=dict)  # pruned after some epoch
    back: float = 0.0

    def masks(self, network: nn.Module, projection: dst.Projection | None) -> None:
        """Note what thresholds and masks have become."""
        left = dst.remaining(network)
        self.remaining.append(left.total)
        for name, share in left.layers.items():
            self.layers.setdefault(name, []).append(share)
        for name, threshold in dst.thresholds(network).items():
            self.thresholds.setdefault(name, []).append(float(threshold.mean()))
        for name, pattern in projection.patterns.items() if projection else ():
            self.patterns.setdefault(name, []).append(pattern.n)

    def returns(self, network: nn.Module) -> None:
        """Note, after every epoch, what is kept that was not after an earlier one."""
        masks = dst.masks(network)
        returned = sum(int((m & self.gone[n]).sum()) for n, m in masks.items() if n in self.gone)
        self.back = returned / max(sum(int(mask.sum()) for mask in masks.values()), 1)
        for name, mask in masks.items():
            self.gone[name] = self.gone.get(name, torch.zeros_like(mask)) | ~mask


def train(task: Task, arm: Arm, seed: int) -> Run:
    """Train once, and look at what is held out every few epochs.

    Of a task and a seed, all arms get the same first weights and the same batches.
    """
    digits, network = Digits.deal(seed, LEARNED), task.make_network(seed)
    if arm.trained:
        for _ in _learn(network, digits, task, None, task.make_optimizer(network)):
            pass
        digits = Digits.deal(seed, LEARNED)
    if arm.alpha is not None:
        below: Any = EVERYWHERE if arm.reset == "everywhere" else "published"
        dst.convert(network, select=task.masked, thresholds=arm.kind, reset_below=below)  # type: ignore[arg-type]
    optimizer = task.make_optimizer(network)
    handle = projection = None
    if arm.m is not None:
        projection = dst.project(network, dst.by_share(arm.m), optimizer=optimizer, threads=1)
    if arm.pattern is not None:
        handle = mst.sparsify(
            network, arm.pattern, select=nn.Linear, optimizer=optimizer, threads=1
        )
    log, spent = _Log(), 0.0
    for epoch, seconds in enumerate(_learn(network, digits, task, arm.alpha, optimizer), start=1):
        spent += seconds
        if arm.alpha is not None:
            log.returns(network)
        if epoch % task.every:
            continue
        if arm.alpha is not None:
            if dst.reset(network) and projection is not None:
                projection.refresh()
            log.masks(network, projection)
        log.accuracy.append(_accuracy(network, digits))
    if handle is not None:
        log.remaining = [_kept(handle)]
    steps = task.epochs * -(-LEARNED // task.batch)
    return {
        "task": task.name,
        "arm": arm.label,
        "seed": seed,
        "accuracy": _short(log.accuracy),
        "remaining": _short(log.remaining),
        "layers": {name: _short(values) for name, values in log.layers.items()},
        "thresholds": {name: _short(values) for name, values in log.thresholds.items()},
        "patterns": log.patterns,
        "stored": _stored(network, projection, handle),
        "back": round(log.back, DIGITS),
        "resets": sum(int(m.resets) for m in network.modules() if hasattr(m, "resets")),
        "cuts": _cuts(network, digits) if _is_swept(task, arm) else {},
        "milliseconds": round(1000 * spent / steps, 3),
    }


def _learn(
    network: nn.Module,
    digits: Digits,
    task: Task,
    alpha: float | None,
    optimizer: torch.optim.Optimizer,
) -> Iterator[float]:
    """Train epoch by epoch; yield the seconds of processor time that each took."""
    for _ in range(task.epochs):
        network.train()
        start = time.process_time()
        for images, classes in digits.epoch(task.batch):
            loss = functional.cross_entropy(network(images), classes)
            if alpha is not None:
                loss = loss + dst.sparsity_loss(network, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.process_time() - start


@torch.no_grad()
def _accuracy(network: nn.Module, digits: Digits) -> float:
    found = network.eval()(digits.held_images).argmax(dim=1)
    return float((found == digits.held_classes).float().mean())


def _is_swept(task: Task, arm: Arm) -> bool:
    return task.name == MAIN and arm == Arm(arm.alpha) and arm.alpha is not None


def _cuts(network: nn.Module, digits: Digits) -> dict[str, Cut]:
    """Cut trained masks to N:M: what a projection costs that was not trained with."""
    found: dict[str, Cut] = {}
    for m in PROJECTED:
        projection = dst.project(network, dst.by_share(m), threads=1)
        found[str(m)] = {
            "accuracy": round(_accuracy(network, digits), DIGITS),
            "remaining": round(dst.remaining(network).total, DIGITS),
            "stored": _stored(network, projection, None),
        }
        projection.remove()
    return found


def _stored(network: nn.Module, projection: dst.Projection | None, handle: Any) -> float | None:
    """Return the share of weights that patterns have room for; None without patterns."""
    if handle is not None:
        pairs = [(layer.masked.pattern, layer.mask.numel()) for layer in handle.layers]
    elif projection is not None:
        masks = dst.masks(network)
        pairs = [(p, masks[name].numel()) for name, p in projection.patterns.items()]
    else:
        return None
    room = sum(pattern.density * size for pattern, size in pairs)
    share: float = round(room / sum(size for _, size in pairs), DIGITS)
    return share


def _kept(handle: Any) -> float:
    masks = list(handle.masks.values())
    kept, size = sum(int(m.sum()) for m in masks), sum(int(m.numel()) for m in masks)
    return kept / size


def _short(values: list[float]) -> list[float]:
    return [significant(value, DIGITS) for value in values]
