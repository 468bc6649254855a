"""The training loop: dense, with thresholds, or with thresholds that choose N:M masks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from masksolve.torch import dst

from .batches import Batch
from .checkpoint import Checkpoint
from .learning import accuracy, learn
from .settings import Settings

__all__ = ["Run", "train"]


@dataclass
class Run:
    """What is trained, and how.

    Attributes
    ----------
    settings : Settings
    network : Module
        Converted already, if it is to be sparse.
    training, test : iterables of batches
    alpha : float or None
        None: dense.
    epochs : int
    pattern : str, callable or None
        That thresholds choose masks of, as for `dst.project`.
    device : str
    out : Path or None
        Folder of the log and the last checkpoint, from which a run goes on.
    """

    settings: Settings
    network: nn.Module
    training: Iterable[Batch]
    test: Iterable[Batch]
    alpha: float | None
    epochs: int
    pattern: str | Callable[[float], Any] | None = None
    device: str = "cpu"
    out: Path | None = None


def train(run: Run) -> Iterator[dict[str, Any]]:
    """Train, and yield a record after every epoch.

    Yields
    ------
    dict
        Of the epoch: mean training loss, test accuracy and, if sparse, the remaining share
        of all masked weights and of each layer, the mean threshold of each, and the patterns.
    """
    network = run.network.to(run.device)
    optimizer = run.settings.make_optimizer(network)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(run.settings.milestones))
    projection = None
    if run.pattern is not None:
        projection = dst.project(network, run.pattern, optimizer=optimizer)
    penalty = None if run.alpha is None else partial(dst.sparsity_loss, network, run.alpha)
    checkpoint = run.out and Checkpoint(
        run.out / "last.pt", network=network, optimizer=optimizer, schedule=schedule
    )
    done = checkpoint.load(run.device) if checkpoint else 0
    for epoch in range(done + 1, run.epochs + 1):
        loss = learn(network, run.training, optimizer, run.device, penalty)
        record: dict[str, Any] = {"epoch": epoch, "loss": loss}
        schedule.step()
        if run.alpha is not None and dst.reset(network) and projection is not None:
            projection.refresh()
        record["accuracy"] = accuracy(network, run.test, run.device)
        if run.alpha is not None:
            left = dst.remaining(network)
            record["remaining"], record["layers"] = left.total, left.layers
            levels = dst.thresholds(network)
            record["thresholds"] = {name: float(t.mean()) for name, t in levels.items()}
        if projection is not None:
            record["patterns"] = {name: str(p) for name, p in projection.patterns.items()}
        if checkpoint:
            checkpoint.save(epoch)
            with (run.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
        yield record
