"""A small real training loop that renews transposable masks as it goes.

An MLP 64-512-512-10 learns scikit-learn's handwritten digits. Forward and backward use
the masked weights; the gradient goes straight through to the dense weights, so that what
is pruned can come back. Masks stay as they are between renewals.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from masksolve import InvalidInput, Pattern

from .learning.digits import images_and_classes
from .registry import Contestant
from .tiling import run

__all__ = ["DigitsTraining"]

WIDTHS = (64, 512, 512, 10)
BATCH = 128
HELD_OUT = 389  # of 1797 digits: 11 full batches are left
RATE, MOMENTUM = 0.05, 0.9
DECAY = 1e-3  # without it, pruned weights wander until they displace what works


class DigitsTraining:
    """The loop, ready to go on: first weights and first masks are there.

    Parameters
    ----------
    contestant : Contestant or None
        Who finds the masks, from |w|; None trains dense.
    pattern : str
        The last layer stays dense; m must divide the sides of the others, so 64.
    every : int or None
        The masks are renewed after so many steps; None: never.
    seed : int
        Settles first weights, held-out digits and the order of batches.

    Attributes
    ----------
    weights : list of Tensor
        The dense weights of each layer, (output, input).
    masks : list of Tensor
        Of every layer but the last, 0 or 1 in float32; empty without a contestant.

    Raises
    ------
    InvalidInput
        If m does not divide 64.
    """

    def __init__(
        self, contestant: Contestant | None, pattern: str, every: int | None, seed: int = 0
    ) -> None:
        self._contestant, self._every, self._done = contestant, every, 0
        self._pattern = Pattern.parse(pattern)
        if WIDTHS[0] % self._pattern.m:
            raise InvalidInput(f"{pattern} does not divide the layers of {WIDTHS[0]} inputs")
        self._random = torch.Generator().manual_seed(seed)

        images, y = images_and_classes()
        x = images.flatten(1)
        order = torch.randperm(len(y), generator=self._random)
        self._held_out = x[order[:HELD_OUT]], y[order[:HELD_OUT]]
        self._digits = x[order[HELD_OUT:]], y[order[HELD_OUT:]]
        self._batches = self._shuffled()

        self.weights = [
            torch.empty(outputs, inputs).uniform_(-1, 1, generator=self._random) / inputs**0.5
            for inputs, outputs in pairwise(WIDTHS)
        ]
        self._biases = [torch.zeros(outputs) for outputs in WIDTHS[1:]]
        self._optimizer = torch.optim.SGD(
            [*self.weights, *self._biases], lr=RATE, momentum=MOMENTUM, weight_decay=DECAY
        )
        self.masks: list[torch.Tensor] = []
        self.renew()

    def renew(self) -> None:
        """Find the masks of the weights as they are now."""
        if self._contestant is not None:
            n, m = self._pattern.n, self._pattern.m
            found = [run(self._contestant, w.abs().numpy(), n, m) for w in self.weights[:-1]]
            self.masks = [torch.from_numpy(np.array(mask, dtype=np.float32)) for mask in found]

    def steps(self, count: int) -> None:
        """Train on so many batches, renewing the masks after every `every` of them."""
        for _ in range(count):
            self._step()
            self._done += 1
            if self._every is not None and self._done % self._every == 0:
                self.renew()

    def accuracy(self) -> float:
        """Return the share of the held-out digits that the masked network gets right."""
        x, y = self._held_out
        right = _forward(x, self.used(), self._biases).argmax(dim=1) == y
        return float(right.float().mean())

    def used(self) -> list[torch.Tensor]:
        """Return the weights that forward and backward use: masked, the others as they are."""
        masked = [w * mask for w, mask in zip(self.weights, self.masks, strict=False)]
        return masked + self.weights[len(masked) :]

    def _step(self) -> None:
        x, y = next(self._batches)
        # Leaves of their own: the gradient by the masked weights is the dense ones' as it is.
        leaves = [p.detach().requires_grad_() for p in (*self.used(), *self._biases)]
        layers = len(self.weights)
        loss = functional.cross_entropy(_forward(x, leaves[:layers], leaves[layers:]), y)
        gradients = torch.autograd.grad(loss, leaves)
        for p, gradient in zip((*self.weights, *self._biases), gradients, strict=True):
            p.grad = gradient
        self._optimizer.step()

    def _shuffled(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        x, y = self._digits
        while True:
            for batch in torch.randperm(len(y), generator=self._random).split(BATCH):
                yield x[batch], y[batch]


def _forward(
    x: torch.Tensor, weights: list[torch.Tensor], biases: list[torch.Tensor]
) -> torch.Tensor:
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        x = functional.relu(functional.linear(x, w, b))
    return functional.linear(x, weights[-1], biases[-1])
