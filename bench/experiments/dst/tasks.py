"""The tasks: a network, how it is trained, the arms that it goes through; how much is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from .arms import DENSE, Arm
from .networks import LstmClassifier, lenet_5, lenet_300_100

__all__ = ["LEARNED", "MAIN", "PROJECTED", "SIZES", "TASKS", "Size", "Task"]

MAIN = "LeNet-300-100"
"""The network that all arms are tried with."""
PROJECTED = (4, 8, 16)
"""M of the N:M masks that thresholds choose."""
LEARNED = 1200
"""Digits of 1797; the rest is held out."""

NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    MAIN: lenet_300_100,
    "LeNet-5": lenet_5,
    "LSTM-a": partial(LstmClassifier, 128),
    "LSTM-b": partial(LstmClassifier, 256),
}


@dataclass(frozen=True)
class Task:
    """What all arms of a network have in common.

    Attributes
    ----------
    name : str
        Of the network.
    optimizer : {"sgd", "adam"}
    rate : float
        Of learning.
    batch, epochs : int
    every : int
        Epochs between looks at what is held out; a divisor of `epochs`.
    arms : tuple of Arm
    """

    name: str
    optimizer: str
    rate: float
    batch: int
    epochs: int
    every: int
    arms: tuple[Arm, ...]

    def make_network(self, seed: int) -> nn.Module:
        """Make the network; the seed settles its first weights."""
        torch.manual_seed(seed)
        return NETWORKS[self.name]()

    def make_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of all its parameters, thresholds among them."""
        if self.optimizer == "adam":
            return torch.optim.Adam(network.parameters(), self.rate)
        return torch.optim.SGD(network.parameters(), self.rate, momentum=0.9)

    @property
    def masked(self) -> type[nn.Module] | None:
        """Which layers get thresholds; None: all."""
        return nn.LSTM if self.name.startswith("LSTM") else None

    def settings(self) -> dict[str, Any]:
        """Return all settings, for the file."""
        arms = [arm.label for arm in self.arms]
        return asdict(self) | {"arms": arms}


def _sweep(*alphas: float) -> tuple[Arm, ...]:
    return (DENSE, *(Arm(alpha) for alpha in alphas))


TASKS = (
    Task(
        MAIN,
        "sgd",
        0.01,
        64,
        200,
        10,
        (
            *_sweep(1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3),
            Arm(1e-3, m=8),
            *(Arm(3e-3, m=m) for m in PROJECTED),
            *(Arm(pattern=p) for p in ("1:16", "1:8", "2:8")),
            *(Arm(2e-3, kind=kind) for kind in ("scalar", "matrix")),
            Arm(0.1, kind="scalar"),  # one threshold: alpha pulls once, not once a row
            Arm(3e-3, trained=True),
        ),
    ),
    Task("LeNet-5", "sgd", 0.01, 64, 50, 5, _sweep(2e-4, 5e-4, 1e-3, 2e-3)),
    Task(
        "LSTM-a",
        "adam",
        1e-3,
        100,
        50,
        5,
        (*_sweep(1e-4, 3e-4, 1e-3, 3e-3), Arm(3e-3, reset="everywhere")),
    ),
    Task("LSTM-b", "adam", 1e-3, 100, 30, 3, _sweep(1e-4, 3e-4, 1e-3)),
)
"""The settings are the paper's, with more epochs, as there are fewer digits than in MNIST."""


@dataclass(frozen=True)
class Size:
    """What a run of the experiment covers.

    Attributes
    ----------
    name : str
    tasks : tuple of Task
    seeds : int
        Unless the command says otherwise.
    """

    name: str
    tasks: tuple[Task, ...]
    seeds: int


FEW = (DENSE, Arm(1e-2), Arm(5e-2), Arm(1e-1), Arm(5e-2, m=8), Arm(pattern="2:8"))
"""Some of each kind, with alphas for a few steps."""


def _glance() -> tuple[Task, ...]:
    lenet, _, lstm, _ = TASKS
    return (
        replace(lenet, epochs=4, every=1, arms=FEW),
        replace(lstm, epochs=2, every=1, arms=FEW[:3]),
    )


SIZES = {size.name: size for size in (Size("smoke", _glance(), 2), Size("full", TASKS, 5))}
