"""The training loop, before pruning and after; interrupted, it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dst_paper.batches import Batch
from dst_paper.checkpoint import Checkpoint
from dst_paper.learning import accuracy, learn
from torch import nn

from .settings import Settings

__all__ = ["train"]

Batches = Iterable[Batch]


def train(
    settings: Settings,
    network: nn.Module,
    data: tuple[Batches, Batches],
    epochs: int,
    path: Path,
    device: str,
) -> Iterator[tuple[int, float, float]]:
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
    checkpoint = Checkpoint(path, network=network, optimizer=optimizer)
    training, test = data
    for epoch in range(checkpoint.load(device), epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * settings.share(epoch * settings.epochs // epochs)
        loss = learn(network, training, optimizer, device)
        checkpoint.save(epoch + 1)
        yield epoch + 1, loss, accuracy(network, test, device)
