"""How the paper trains its networks: one configuration each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import nn

from .data import Data
from .networks import LstmClassifier, WideResNet, lenet_5_caffe, lenet_300_100, resnet_50, vgg_16

__all__ = ["SETTINGS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How a network is trained, dense or sparse.

    Attributes
    ----------
    network : callable
        Makes it, with first weights.
    data : {"mnist", "cifar-10", "imagenet"}
    alpha : float
        What sparsity is worth.
    optimizer : {"sgd", "adam"}
    rate, momentum, decay : float
        Of the optimizer; decay is of thresholds too, as in the paper's code.
    batch, epochs : int
    milestones : tuple of int
        Epochs after which the rate falls to a tenth.
    masked : type, optional
        Which layers get thresholds; default: all.
    """

    network: Callable[[], nn.Module]
    data: Data
    alpha: float
    optimizer: Literal["sgd", "adam"] = "sgd"
    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 0.0
    batch: int = 64
    epochs: int = 20
    milestones: tuple[int, ...] = ()
    masked: type[nn.Module] | None = None

    def make_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of all parameters, thresholds among them."""
        if self.optimizer == "adam":
            return torch.optim.Adam(network.parameters(), self.rate, weight_decay=self.decay)
        return torch.optim.SGD(
            network.parameters(), self.rate, momentum=self.momentum, weight_decay=self.decay
        )


def _mnist(network: Callable[[], nn.Module]) -> Settings:
    return Settings(network, "mnist", alpha=5e-4)


def _lstm(hidden: int) -> Settings:
    return Settings(
        partial(LstmClassifier, hidden),
        "mnist",
        alpha=1e-4,
        optimizer="adam",
        rate=1e-3,
        batch=100,
        masked=nn.LSTM,
    )


def _cifar_10(network: Callable[[], nn.Module]) -> Settings:
    return Settings(
        network, "cifar-10", alpha=5e-6, rate=0.1, decay=1e-4, epochs=160, milestones=(80, 120)
    )


SETTINGS: Mapping[str, Settings] = {
    "lenet-300-100": _mnist(lenet_300_100),
    "lenet-5-caffe": _mnist(lenet_5_caffe),
    "lstm-a": _lstm(128),
    "lstm-b": _lstm(256),
    "vgg-16": _cifar_10(vgg_16),
    "wideresnet-16-8": _cifar_10(partial(WideResNet, 16, 8)),
    # The paper's code has no ImageNet: this is how ResNet-50 is usually trained, with the
    # alpha of CIFAR-10.
    "resnet-50": Settings(
        resnet_50,
        "imagenet",
        alpha=5e-6,
        rate=0.1,
        decay=1e-4,
        batch=256,
        epochs=90,
        milestones=(30, 60, 80),
    ),
}
"""By the networks' names."""
