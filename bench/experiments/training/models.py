"""The networks for digits: a dense stem and head, and a body to be masked.

Sides of the body's matrices are multiples of 16, so that every pattern up to 8:16 fits.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Cnn", "Mlp"]

CLASSES = 10


class Mlp(nn.Module):
    """Two narrow hidden layers on 8 x 8 images.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        found: torch.Tensor = self.head(self.body(images))
        return found


class Cnn(nn.Module):
    """A dense first convolution, then two convolutions and a linear layer to be masked.

    Parameters
    ----------
    width : int
        Channels of the stem; the second convolution has twice as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, 2 * width),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        found: torch.Tensor = self.head(self.body(self.stem(images)))
        return found
