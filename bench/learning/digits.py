"""scikit-learn's handwritten digits: 1797 images of 8 x 8 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_digits

__all__ = ["Batch", "Digits", "images_and_classes"]

Batch = tuple[torch.Tensor, torch.Tensor]


@cache
def images_and_classes() -> Batch:
    """Return all digits: (1797, 1, 8, 8) in float32 from 0 to 1, and what they are."""
    images, classes = load_digits(return_X_y=True)
    pixels = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    return pixels, torch.tensor(classes)


@dataclass(frozen=True)
class Digits:
    """Digits that are learned, and those held out.

    Attributes
    ----------
    images, classes : Tensor
    held_images, held_classes : Tensor
    random : Generator
        That dealt them; what is drawn next is settled by the same seed.
    """

    images: torch.Tensor
    classes: torch.Tensor
    held_images: torch.Tensor
    held_classes: torch.Tensor
    random: torch.Generator

    @classmethod
    def deal(cls, seed: int, learned: int) -> Digits:
        """Deal all digits, so many of them to be learned; the seed settles which."""
        images, classes = images_and_classes()
        random = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(classes), generator=random)
        first, rest = order[:learned], order[learned:]
        return cls(images[first], classes[first], images[rest], classes[rest], random)

    def epoch(self, batch: int, random: torch.Generator | None = None) -> Iterator[Batch]:
        """Go through all that is learned once, in batches, in another order each time."""
        order = torch.randperm(len(self.classes), generator=random or self.random)
        for which in order.split(batch):
            yield self.images[which], self.classes[which]
