"""Images in memory, in batches, moved and mirrored if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Batch", "Images", "Loader"]

Batch = tuple[Tensor, Tensor]


@dataclass
class Images:
    """Images and their classes.

    Attributes
    ----------
    pixels : Tensor of float, (images, channels, rows, columns)
    labels : Tensor of int64
    """

    pixels: Tensor
    labels: Tensor


@dataclass
class Loader:
    """Batches of images, anew for each pass.

    Attributes
    ----------
    images : Images
    batch : int
    shuffle : bool
        In another order each pass, by torch's own generator.
    pad : int
        So many zeros around each image, from which a random window of its size is cut;
        with padding, half of the images are mirrored too.
    """

    images: Images
    batch: int
    shuffle: bool = False
    pad: int = 0

    def __iter__(self) -> Iterator[Batch]:
        number = len(self.images.labels)
        order = torch.randperm(number) if self.shuffle else torch.arange(number)
        for which in order.split(self.batch):
            pixels = self.images.pixels[which]
            yield self._moved(pixels) if self.pad else pixels, self.images.labels[which]

    def _moved(self, pixels: Tensor) -> Tensor:
        number, _, rows, columns = pixels.shape
        padded = functional.pad(pixels, [self.pad] * 4)
        down, across = torch.randint(2 * self.pad + 1, (2, number))
        at_row = (down[:, None] + torch.arange(rows))[:, :, None]
        at_column = across[:, None] + torch.arange(columns)
        mirrored = torch.rand(number) < 0.5
        at_column = torch.where(mirrored[:, None], at_column.flip(1), at_column)[:, None]
        each = torch.arange(number)[:, None, None]
        return padded[each, :, at_row, at_column].movedim(-1, 1)
