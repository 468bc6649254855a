"""The training loop: dense, with thresholds, or with thresholds that choose N:M masks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from .batches import Loader
from .cifar_10 import load_cifar_10
from .mnist import load_mnist
from .settings import Settings

__all__ = ["Run", "load_data", "train"]

PAD = 4  # CIFAR-10's random windows


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
    training: Any
    test: Any
    alpha: float | None
    epochs: int
    pattern: str | Callable[[float], Any] | None = None
    device: str = "cpu"
    out: Path | None = None


def load_data(settings: Settings, folder: Path) -> tuple[Any, Any]:
    """Return batches to learn from, anew each epoch, and batches to test with.

    Raises
    ------
    FileFormatError
        If the folder lacks something, or a file is damaged.
    """
    if settings.data == "imagenet":
        try:
            from .imagenet import load_imagenet
        except ImportError as error:
            raise InvalidInput(
                f"ImageNet takes Pillow (pip install pillow): {error}"
            ) from error
        training, test = (load_imagenet(folder, settings.batch, train=t) for t in (True, False))
        return training, test
    load = {"mnist": load_mnist, "cifar-10": load_cifar_10}[settings.data]
    pad = PAD if settings.data == "cifar-10" else 0
    return (
        Loader(load(folder, train=True), settings.batch, shuffle=True, pad=pad),
        Loader(load(folder, train=False), settings.batch),
    )


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
    state = _State(run, network, optimizer, schedule)
    for epoch in range(state.load() + 1, run.epochs + 1):
        record: dict[str, Any] = {"epoch": epoch, "loss": _learn(run, network, optimizer)}
        schedule.step()
        if run.alpha is not None and dst.reset(network) and projection is not None:
            projection.refresh()
        record["accuracy"] = _accuracy(run, network)
        if run.alpha is not None:
            left = dst.remaining(network)
            record["remaining"], record["layers"] = left.total, left.layers
            levels = dst.thresholds(network)
            record["thresholds"] = {name: float(t.mean()) for name, t in levels.items()}
        if projection is not None:
            record["patterns"] = {name: str(p) for name, p in projection.patterns.items()}
        state.save(record)
        yield record


def _learn(run: Run, network: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    network.train()
    total = torch.zeros((), device=run.device)
    steps = 0
    for images, labels in run.training:
        images, labels = images.to(run.device), labels.to(run.device)
        loss = functional.cross_entropy(network(images), labels)
        whole = loss if run.alpha is None else loss + dst.sparsity_loss(network, run.alpha)
        optimizer.zero_grad()
        whole.backward()
        optimizer.step()
        total += loss.detach()
        steps += 1
    return float(total) / max(steps, 1)


@torch.no_grad()
def _accuracy(run: Run, network: nn.Module) -> float:
    network.eval()
    right = number = 0
    for images, labels in run.test:
        found = network(images.to(run.device)).argmax(dim=1)
        right += int((found == labels.to(run.device)).sum())
        number += len(labels)
    return right / number


@dataclass
class _State:
    """The log, and the last checkpoint."""

    run: Run
    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Any

    def load(self) -> int:
        """Return how many epochs are done, and go on from there."""
        if self.run.out is None:
            return 0
        self.run.out.mkdir(parents=True, exist_ok=True)
        path = self.run.out / "last.pt"
        if not path.exists():
            return 0
        held = torch.load(path, map_location=self.run.device, weights_only=True)
        try:
            self.network.load_state_dict(held["network"])
            self.optimizer.load_state_dict(held["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise InvalidInput(
                f"{path} is of another run: expected one with the same options; remove it, or "
                "name another --out"
            ) from error
        self.schedule.load_state_dict(held["schedule"])
        torch.set_rng_state(held["random"].cpu())
        epochs: int = held["epoch"]
        return epochs

    def save(self, record: dict[str, Any]) -> None:
        """Keep an epoch."""
        if self.run.out is None:
            return
        held = {
            "epoch": record["epoch"],
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
        }
        half = self.run.out / "last.half"
        torch.save(held, half)
        half.replace(self.run.out / "last.pt")
        with (self.run.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
