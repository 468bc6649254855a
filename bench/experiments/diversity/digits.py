"""Small real networks that learn handwritten digits under a mask, many seeds at once.

MLPs 64-32-32-10 on scikit-learn's digits, narrow enough that sparsity hurts. The networks
of several seeds are trained side by side as batches of matrices. Everything random comes
from the seed and the epoch alone: every pattern gets the same first weights, the same
held-out digits and the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ...learning.digits import Batch, images_and_classes

__all__ = ["MASKED", "Ensemble", "Mask"]

WIDTHS = (64, 32, 32, 10)
MASKED = ((32, 64), (32, 32))
"""Shapes, (output, input), of the layers that are masked: all but the last."""
BATCH = 128
HELD_OUT = 597  # of 1797 digits: 9 full batches an epoch are left
RATE, MOMENTUM = 0.05, 0.9
DECAY = 1e-3  # without it, pruned weights wander until they displace what works
EVERY = 10

Mask = Callable[[NDArray[np.float32]], NDArray[np.bool_]]
"""Finds the masks of scores, (seeds, output, input)."""


class Ensemble:
    """Networks of the same shape, one a seed, with weights that nobody has trained yet.

    Parameters
    ----------
    seeds : sequence of int

    Attributes
    ----------
    weights : list of Tensor
        Of each layer, (seeds, output, input): dense, also where masks are in force.
    masks : list of Tensor
        Of every layer but the last, 0 or 1 in float32; ones before the first `prune`.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = tuple(seeds)
        orders = [_random(seed, "split").permutation(len(_digits()[1])) for seed in seeds]
        order = torch.from_numpy(np.stack(orders))
        self._held_out, self._training = order[:, :HELD_OUT], order[:, HELD_OUT:]
        first = [_random(seed, "weights") for seed in seeds]
        self.weights = [
            torch.from_numpy(np.stack([r.uniform(-1, 1, (outputs, inputs)) for r in first])).float()
            / inputs**0.5
            for inputs, outputs in pairwise(WIDTHS)
        ]
        self._biases = [torch.zeros(len(seeds), 1, outputs) for outputs in WIDTHS[1:]]
        self.masks = [torch.ones_like(w) for w in self.weights[:-1]]

    def copy(self) -> Ensemble:
        """Return networks that can be trained on without changing these."""
        other = Ensemble(self._seeds)
        other.weights = [w.clone() for w in self.weights]
        other._biases = [b.clone() for b in self._biases]
        other.masks = list(self.masks)
        return other

    def prune(self, mask: Mask) -> None:
        """Find the masks of the weights as they are now."""
        self.masks = [torch.from_numpy(mask(w.abs().numpy())).float() for w in self.weights[:-1]]

    def train(self, epochs: range, mask: Mask | None = None, held: int = 0) -> None:
        """Train the dense weights through the masks (the gradient goes straight through).

        Parameters
        ----------
        epochs : range
            Their numbers settle the order of the batches.
        mask : callable, optional
            Renews the masks before every tenth batch; default: they stay as they are.
        held : int
            In so many epochs at the end the masks stay as they are all the same: just
            renewed, they are not what the weights were trained with.
        """
        parameters = [*self.weights, *self._biases]
        optimizer = torch.optim.SGD(
            parameters, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, foreach=True
        )
        done = 0
        for epoch in epochs:
            for x, y in self._batches(epoch):
                if mask and done % EVERY == 0 and epoch < epochs.stop - held:
                    self.prune(mask)
                for p, gradient in zip(parameters, self._gradients(x, y), strict=True):
                    p.grad = gradient
                optimizer.step()
                done += 1

    def accuracy(self) -> NDArray[np.float64]:
        """Return the share of its held-out digits that each masked network gets right."""
        x, y = _digits()
        found = _forward(x[self._held_out], self.used(), self._biases).argmax(dim=2)
        right: NDArray[np.bool_] = (found == y[self._held_out]).numpy()
        shares: NDArray[np.float64] = right.mean(axis=1)
        return shares

    def used(self) -> list[torch.Tensor]:
        """Return the weights that forward and backward use: masked, the last as they are."""
        masked = [w * mask for w, mask in zip(self.weights, self.masks, strict=False)]
        return [*masked, self.weights[-1]]

    def _gradients(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # Leaves of their own: the gradient by the masked weights is the dense ones' as it is.
        leaves = [p.detach().requires_grad_() for p in (*self.used(), *self._biases)]
        layers = len(self.weights)
        found = _forward(x, leaves[:layers], leaves[layers:])
        # The sum over networks: each one's gradient is that of its own mean.
        loss = functional.cross_entropy(found.flatten(0, 1), y.flatten(), reduction="sum")
        gradients: tuple[torch.Tensor, ...] = torch.autograd.grad(loss / BATCH, leaves)
        return gradients

    def _batches(self, epoch: int) -> Iterator[Batch]:
        x, y = _digits()
        size = self._training.shape[1]
        orders = [_random(s, "epoch", epoch).permutation(size) for s in self._seeds]
        order = self._training.gather(1, torch.from_numpy(np.stack(orders)))
        for batch in order[:, : size // BATCH * BATCH].split(BATCH, dim=1):
            yield x[batch], y[batch]


def _digits() -> Batch:
    images, classes = images_and_classes()
    return images.flatten(1), classes


def _random(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, *purpose.encode(), epoch])


def _forward(
    x: torch.Tensor, weights: list[torch.Tensor], biases: list[torch.Tensor]
) -> torch.Tensor:
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = torch.baddbmm(b, functional.relu(x) if k else x, w.mT)
    return x
