"""The paper's networks, made for images of 8 x 8 instead of 28 x 28."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["LstmClassifier", "lenet_5", "lenet_300_100"]

SIDE = 8
CLASSES = 10


def lenet_300_100() -> nn.Module:
    """Make LeNet-300-100: 50,200 weights, of the paper's 266,200."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(SIDE * SIDE, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, CLASSES),
    )


def lenet_5() -> nn.Module:
    """Make LeNet-5-Caffe with padding, without which its 5 x 5 kernels leave nothing."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 50, 500),
        nn.ReLU(),
        nn.Linear(500, CLASSES),
    )


class LstmClassifier(nn.Module):
    """Two LSTM layers that read an image row by row, and a dense output layer.

    Parameters
    ----------
    hidden : int
        128 in the paper's LSTM-a, 256 in its LSTM-b.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(SIDE, hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(hidden, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        states, _ = self.lstm(images[:, 0])
        logits: torch.Tensor = self.output(states[:, -1])
        return logits
