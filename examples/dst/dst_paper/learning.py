"""An epoch of training, and the accuracy on a test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import Batch

__all__ = ["accuracy", "learn"]


def learn(
    network: nn.Module,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    device: str,
    penalty: Callable[[], Tensor] | None = None,
) -> float:
    """Train for an epoch, and return the mean loss, without what `penalty` adds to it."""
    network.train()
    total = torch.zeros((), device=device)
    steps = 0
    for images, labels in batches:
        loss = functional.cross_entropy(network(images.to(device)), labels.to(device))
        whole = loss if penalty is None else loss + penalty()
        optimizer.zero_grad()
        whole.backward()
        optimizer.step()
        total += loss.detach()
        steps += 1
    return float(total) / max(steps, 1)


@torch.no_grad()
def accuracy(network: nn.Module, batches: Iterable[Batch], device: str) -> float:
    """Return the share of images that a network gets right."""
    network.to(device).eval()
    right = number = 0
    for images, labels in batches:
        found = network(images.to(device)).argmax(dim=1)
        right += int((found == labels.to(device)).sum())
        number += len(labels)
    return right / number
