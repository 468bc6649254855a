"""Batches of the data sets that the papers train on, from a folder of their original files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from masksolve.errors import InvalidInput

from .batches import Batch, Loader
from .cifar_10 import load_cifar_10
from .mnist import load_mnist

__all__ = ["Data", "load_data"]

Data = Literal["mnist", "cifar-10", "imagenet"]

PAD = 4  # CIFAR-10's random windows


def load_data(data: Data, folder: Path, batch: int) -> tuple[Iterable[Batch], Iterable[Batch]]:
    """Return batches to learn from, anew each epoch, and batches to test with.

    Raises
    ------
    FileFormatError
        If the folder lacks something, or a file is damaged.
    InvalidInput
        If ImageNet is asked for and Pillow is not installed.
    """
    if data == "imagenet":
        try:
            from .imagenet import load_imagenet
        except ImportError as error:
            raise InvalidInput(f"ImageNet takes Pillow (pip install pillow): {error}") from error
        training, test = (load_imagenet(folder, batch, train=train) for train in (True, False))
        return training, test
    load = {"mnist": load_mnist, "cifar-10": load_cifar_10}[data]
    pad = PAD if data == "cifar-10" else 0
    learned, held_out = load(folder, train=True), load(folder, train=False)
    return Loader(learned, batch, shuffle=True, pad=pad), Loader(held_out, batch)
