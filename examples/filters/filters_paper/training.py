"""The training loop, before pruning and after; interrupted, it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from dst_paper.batches import Loader
from dst_paper.cifar_10 import load_cifar_10
from torch import Tensor, nn
from torch.nn import functional

from masksolve.errors import InvalidInput

from .settings import Settings

__all__ = ["accuracy", "load_data", "train"]

Batches = Iterable[tuple[Tensor, Tensor]]

PAD = 4


def load_data(settings: Settings, folder: Path) -> tuple[Batches, Batches]:
    """Return batches to learn from, anew each epoch, and batches to test with.

    Raises
    ------
    FileFormatError
        If the folder lacks something, or a file is damaged.
    """
    if settings.data == "imagenet":
        from dst_paper.imagenet import load_imagenet  # takes Pillow

        training, test = (load_imagenet(folder, settings.batch, train=t) for t in (True, False))
        return training, test
    learned, held = (load_cifar_10(folder, train=t) for t in (True, False))
    return Loader(learned, settings.batch, shuffle=True, pad=PAD), Loader(held, settings.batch)


def train(
    settings: Settings, network: nn.Module, data: tuple[Batches, Batches], epochs: int,
    path: Path, device: str,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Train in place, and yield every epoch's number, loss and accuracy on the test set.

    Parameters
    ----------
    settings : Settings
    network : Module
    data : tuple of batches
        To learn and to test.
    epochs : int
        If fewer than the settings', the schedule is as much shorter.
    path : Path
        Of the checkpoint that is kept after every epoch, and gone on from.
    device : str
    """
    network.to(device)
    optimizer = settings.make_optimizer(network)
    done = _resume(path, network, optimizer, device)
    training, test = data
    for epoch in range(done, epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * settings.share(epoch * settings.epochs // epochs)
        network.train()
        total = torch.zeros((), device=device)
        steps = 0
        for images, labels in training:
            loss = functional.cross_entropy(network(images.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
            steps += 1
        _keep(path, network, optimizer, epoch + 1)
        yield epoch + 1, float(total) / max(steps, 1), accuracy(network, test, device)


@torch.no_grad()
def accuracy(network: nn.Module, batches: Batches, device: str) -> float:
    """Return the share that a network gets right."""
    network.to(device).eval()
    right = number = 0
    for images, labels in batches:
        right += int((network(images.to(device)).argmax(1) == labels.to(device)).sum())
        number += len(labels)
    return right / number


def _resume(path: Path, network: nn.Module, optimizer: Any, device: str) -> int:
    if not path.exists():
        return 0
    try:
        held = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(held["network"])
        optimizer.load_state_dict(held["optimizer"])
    except Exception as error:  # a damaged file may raise anything
        raise InvalidInput(
            f"cannot go on from {path}: expected a checkpoint of the same options; remove it, "
            "or name another --out"
        ) from error
    return int(held["epoch"])


def _keep(path: Path, network: nn.Module, optimizer: Any, epoch: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    states = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**states, "epoch": epoch}, half)
    half.replace(path)
