"""MNIST from its original files, in the IDX format."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from masksolve.errors import FileFormatError

from .batches import Images
from .files import find, read

__all__ = ["load_mnist", "read_idx"]

WHAT = "MNIST's four files, train-images-idx3-ubyte and so on, plain or .gz"
UBYTE = 8
"""IDX's code for bytes without a sign."""


def load_mnist(folder: Path, *, train: bool) -> Images:
    """Read the digits to learn, or those to test with, as floats from 0 to 1.

    Parameters
    ----------
    folder : Path
        With the four files, or torchvision's folder with ``MNIST/raw`` in it.
    train : bool

    Raises
    ------
    FileFormatError
        If a file is missing, cut off, or not what its name says.
    """
    part = "train" if train else "t10k"
    images = read_idx(_file(folder, f"{part}-images", 3), 3)
    labels = read_idx(_file(folder, f"{part}-labels", 1), 1)
    if len(images) != len(labels):
        raise FileFormatError(
            f"{folder} has {len(images)} images but {len(labels)} labels in its {part} files"
        )
    if images.shape[1:] != (28, 28) or labels.max(initial=0) > 9:
        raise FileFormatError(
            f"{folder} holds images of {images.shape[1]} x {images.shape[2]} and labels up to "
            f"{labels.max(initial=0)}: MNIST's are of 28 x 28, with labels up to 9"
        )
    pixels = torch.from_numpy(images).float().div_(255)[:, None]
    return Images(pixels, torch.from_numpy(labels).long())


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Read an array of bytes from an IDX file.

    Raises
    ------
    FileFormatError
        If it is cut off, or not an IDX file of bytes with so many axes.
    """
    data = read(path)
    head = 4 + 4 * axes
    if len(data) < head:
        raise FileFormatError(
            f"{path} is truncated: an IDX file has a head of {head} bytes, it has {len(data)}"
        )
    if data[:4] != bytes((0, 0, UBYTE, axes)):
        raise FileFormatError(
            f"{path} is no IDX file of bytes with {axes} axes: it begins with "
            f"{data[:4].hex(' ')}, expected {bytes((0, 0, UBYTE, axes)).hex(' ')}"
        )
    shape = tuple(int(side) for side in np.frombuffer(data[4:head], dtype=">u4"))
    if len(data) - head != prod(shape):
        state = "truncated" if len(data) - head < prod(shape) else "too long"
        raise FileFormatError(
            f"{path} is {state}: its head announces {' x '.join(map(str, shape))} = "
            f"{prod(shape)} bytes, there are {len(data) - head}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape).copy()


def _file(folder: Path, stem: str, axes: int) -> Path:
    names = [f"{stem}{dot}idx{axes}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
    return find((folder, folder / "MNIST" / "raw", folder / "raw"), names, WHAT)
