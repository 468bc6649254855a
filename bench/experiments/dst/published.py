"""What the paper prints of DST, and the commands that do the same on the real data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROWS", "Row"]

TRAIN = "python examples/dst/train.py"


@dataclass(frozen=True)
class Row:
    """A row of the paper's tables, in percent; None: it prints none.

    Attributes
    ----------
    data, network : str
    remaining, sparse, dense : float or None
        Remaining share of weights, accuracy with them, accuracy dense.
    alpha : float or None
        That the paper gives for the row.
    where : str
        In the paper.
    """

    data: str
    network: str
    remaining: float
    sparse: float | None
    dense: float | None
    alpha: float | None
    where: str

    @property
    def command(self) -> str:
        """What reproduces the row; without a published alpha, a place to start from."""
        folder = {"MNIST": "mnist", "CIFAR-10": "cifar-10", "ImageNet": "imagenet"}[self.data]
        said = "" if self.alpha is None else f" --alpha {self.alpha:g}"
        return f"{TRAIN} {self.network.lower()} --data {folder}{said}"


TABLE = "table"
ROWS = (
    Row("MNIST", "LeNet-300-100", 2.48, 97.69, 98.16, None, TABLE),
    Row("MNIST", "LeNet-300-100", 7.87, 98.12, 98.16, 5e-4, "text"),
    Row("MNIST", "LeNet-5-Caffe", 1.64, 99.11, 99.18, None, TABLE),
    Row("MNIST", "LSTM-a", 1.93, 98.70, 98.64, None, TABLE),
    Row("MNIST", "LSTM-a", 1.54, 98.56, 98.64, None, "table, review version"),
    Row("MNIST", "LSTM-b", 0.98, 98.89, 98.87, None, TABLE),
    Row("MNIST", "LSTM-b", 0.74, 98.62, 98.87, None, "table, review version"),
    Row("CIFAR-10", "VGG-16", 8.82, 93.93, 93.75, 5e-6, "table, text"),
    Row("CIFAR-10", "VGG-16", 3.76, 93.02, 93.75, None, TABLE),
    Row("CIFAR-10", "VGG-16", 6.66, None, 93.75, 1e-5, "figure 5"),
    Row("CIFAR-10", "VGG-16", 15.47, None, 93.75, 1e-6, "figure 5"),
    Row("CIFAR-10", "VGG-16", 35.35, None, 93.75, 1e-7, "figure 5"),
    Row("CIFAR-10", "WideResNet-16-8", 9.86, 95.05, 95.18, None, TABLE),
    Row("CIFAR-10", "WideResNet-16-8", 4.64, 94.73, 95.18, None, TABLE),
    Row("ImageNet", "ResNet-50", 19.24, 74.02, 74.95, None, TABLE),
    Row("ImageNet", "ResNet-50", 9.87, 72.78, 74.95, None, TABLE),
)
"""Accuracies are the best on the test set over the epochs, means of 5 runs."""
