"""scikit-learn's handwritten digits: 8 x 8 pixels, a third of them held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_digits

__all__ = ["Digits"]

Batch = tuple[torch.Tensor, torch.Tensor]

LEARNED = 1200
"""Of 1797; the rest is held out."""


@dataclass
class Digits:
    """Digits to learn, and others to test with.

    Parameters
    ----------
    seed : int
        Settles which are which, and the batches.
    batch : int
    """

    seed: int
    batch: int

    def __post_init__(self) -> None:
        images, classes = _digits()
        self._random = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(classes), generator=self._random)
        learned, held = order[:LEARNED], order[LEARNED:]
        self._images, self._classes = images[learned], classes[learned]
        self.held_out: Batch = images[held], classes[held]

    def epoch(self) -> Iterator[Batch]:
        """Go through all that is learned once, in another order each time."""
        order = torch.randperm(LEARNED, generator=self._random)
        for which in order.split(self.batch):
            yield self._images[which], self._classes[which]


@cache
def _digits() -> Batch:
    images, classes = load_digits(return_X_y=True)
    pixels = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    return pixels, torch.tensor(classes)
