"""How the authors' code trains its networks: one configuration each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from dst_paper.data import Data
from dst_paper.networks import WideResNet, vgg_16
from torch import nn

from .networks import DenseNet, resnet_18, resnet_20

__all__ = ["SETTINGS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How a network is trained, before pruning and after.

    Attributes
    ----------
    network : callable
        Makes it, with first weights.
    data : {"cifar-10", "imagenet"}
    epochs, warmup : int
        In the first of them the rate climbs.
    batch : int
    rate, decay : float
    nesterov : bool
    milestones : tuple of int
        Epochs after which the rate is multiplied by `fall`.
    fall : float
    """

    network: Callable[[], nn.Module]
    data: Data
    epochs: int
    warmup: int
    batch: int
    milestones: tuple[int, ...]
    rate: float = 0.1
    decay: float = 1e-4
    nesterov: bool = False
    fall: float = 0.1

    def make_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of all parameters."""
        return torch.optim.SGD(
            network.parameters(),
            self.rate,
            momentum=0.9,
            weight_decay=self.decay,
            nesterov=self.nesterov,
        )

    def share(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0, over the highest."""
        climbed = min(1.0, (epoch + 1) / self.warmup)
        return climbed * self.fall ** sum(epoch >= after for after in self.milestones)


SETTINGS: Mapping[str, Settings] = {
    "resnet-20": Settings(resnet_20, "cifar-10", 182, 5, 128, (91, 136)),
    "vgg-16": Settings(
        vgg_16, "cifar-10", 300, 10, 256, tuple(range(30, 300, 30)), rate=0.05, decay=5e-4, fall=0.5
    ),
    "densenet-22": Settings(DenseNet, "cifar-10", 300, 10, 64, (150, 225), nesterov=True),
    "wrn-16-8": Settings(
        partial(WideResNet, 16, 8),
        "cifar-10",
        200,
        5,
        128,
        (60, 120, 160),
        decay=5e-4,
        nesterov=True,
        fall=0.2,
    ),
    "resnet-18": Settings(resnet_18, "imagenet", 90, 5, 256, (30, 60, 80)),
}
"""By the networks' names."""
