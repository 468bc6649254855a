"""The network that is pruned, and how it learns its digits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ...learning.digits import Digits
from .sizes import Size

__all__ = ["Residual", "learn", "wrong"]

RATE, MOMENTUM, DECAY = 0.1, 0.9, 5e-4
TUNING_RATE = 0.02


class Residual(nn.Module):
    """A stem, six residual blocks in three stages, a mean over places, and a linear layer.

    Parameters
    ----------
    width : int
        Channels of the first stage.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        widths = (width, width, 2 * width, 2 * width, 4 * width, 4 * width)
        before = (width, *widths[:-1])
        blocks = (_Block(i, o) for i, o in zip(before, widths, strict=True))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(4 * width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        seen = self.blocks(functional.relu(self.norm(self.stem(images))))
        found: torch.Tensor = self.head(seen.mean((2, 3)))
        return found


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride == 2:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.first_norm(self.first(seen)))
        inner = self.second_norm(self.second(inner))
        return functional.relu(inner + self.shortcut(seen))


def learn(
    network: nn.Module, digits: Digits, size: Size, seed: int, *, tuning: bool = False
) -> None:
    """Train, or after pruning train on, in place."""
    epochs, rate = (size.tuning, TUNING_RATE) if tuning else (size.epochs, RATE)
    random = torch.Generator().manual_seed(seed + 1000 * (1 + tuning))
    steps = epochs * (len(digits.classes) // size.batch)
    optimizer = torch.optim.SGD(
        network.parameters(), rate, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for images, classes in digits.epoch(size.batch, random):
            if len(classes) < size.batch:
                break
            optimizer.zero_grad()
            functional.cross_entropy(network(images), classes).backward()
            optimizer.step()
            schedule.step()
    network.eval()


@torch.no_grad()
def wrong(network: nn.Module, digits: Digits) -> float:
    """Return the share of the digits held out that a network gets wrong."""
    found = network.eval()(digits.held_images).argmax(1)
    return float((found != digits.held_classes).float().mean())
