"""Handwritten digits as they are learned here: moved by up to a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from ...learning.digits import Batch, Digits

__all__ = ["MovedDigits"]


@dataclass
class MovedDigits:
    """Digits of 8 x 8 pixels, moved by up to a pixel while they are learned.

    Parameters
    ----------
    seed : int
        Settles which digits are learned, and the batches.
    learned : int
        How many; the rest of the 1797 is held out.
    batch : int
    """

    seed: int
    learned: int
    batch: int

    def __post_init__(self) -> None:
        self._dealt = Digits.deal(self.seed, self.learned)

    def next(self) -> Batch:
        """Draw a batch of images and classes."""
        random = self._dealt.random
        which = torch.randint(self.learned, (self.batch,), generator=random)
        across, down = torch.randint(3, (2, self.batch), generator=random)
        padded = functional.pad(self._dealt.images[which], (1, 1, 1, 1))
        rows = (down[:, None] + torch.arange(8))[:, :, None]
        columns = (across[:, None] + torch.arange(8))[:, None, :]
        moved = padded[torch.arange(self.batch)[:, None, None], 0, rows, columns]
        return moved[:, None], self._dealt.classes[which]

    def held_out(self) -> list[Batch]:
        """Return what is held out, in batches, as it is."""
        return [(self._dealt.held_images, self._dealt.held_classes)]
