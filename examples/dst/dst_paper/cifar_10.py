"""CIFAR-10 from its original files: the Python version's or the binary one's."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from masksolve.errors import FileFormatError

from .batches import Images
from .files import find, read

__all__ = ["load_cifar_10"]

WHAT = "CIFAR-10's files, data_batch_1 to data_batch_5 and test_batch, with or without .bin"
PIXELS = 3 * 32 * 32
MEAN = (0.4914, 0.4822, 0.4465)
DEVIATION = (0.2023, 0.1994, 0.2010)
"""Of each colour, as the paper's code has them."""


def load_cifar_10(folder: Path, *, train: bool) -> Images:
    """Read the images to learn, or those to test with, each colour normalised.

    Parameters
    ----------
    folder : Path
        With the files, or with the folder of them that the archive holds.
    train : bool

    Raises
    ------
    FileFormatError
        If a file is missing, cut off, or not what its name says.
    """
    stems = [f"data_batch_{k}" for k in range(1, 6)] if train else ["test_batch"]
    places = (folder, folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin")
    parts = [_read(find(places, (stem, f"{stem}.bin"), WHAT)) for stem in stems]
    pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in parts]))
    labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]))
    images = pixels.view(-1, 3, 32, 32).float().div_(255)
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return Images(images.sub_(mean).div_(deviation), labels)


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pixels, labels = (_binary if path.suffix == ".bin" else _pickled)(path)
    if labels.size == 0 or labels.min() < 0 or labels.max() > 9:
        raise FileFormatError(f"{path} is not of CIFAR-10: its labels are not from 0 to 9")
    return pixels, labels.astype(np.int64)


def _binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read records of a label and 3072 pixels."""
    data = read(path)
    if not data or len(data) % (1 + PIXELS):
        raise FileFormatError(
            f"{path} is truncated: expected records of {1 + PIXELS} bytes, it has {len(data)} bytes"
        )
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:].copy(), records[:, 0]


def _pickled(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    try:
        found = _Arrays(io.BytesIO(read(path)), encoding="bytes").load()
        pixels, labels = found[b"data"], np.asarray(found[b"labels"])
    except _NotArraysError as error:
        raise FileFormatError(f"{path} is no batch of CIFAR-10: {error}") from error
    except Exception as error:  # a damaged pickle may raise anything
        raise FileFormatError(
            f"{path} is truncated or no batch of CIFAR-10's Python version: {error}"
        ) from error
    good = isinstance(pixels, np.ndarray) and pixels.shape == (len(labels), PIXELS)
    if not good or pixels.dtype != np.uint8 or labels.dtype.kind != "i":
        raise FileFormatError(
            f"{path} is no batch of CIFAR-10: expected {len(labels)} x {PIXELS} bytes of pixels"
        )
    return pixels, labels


class _NotArraysError(Exception):
    """A pickle asks for something that is not needed to make arrays."""


class _Arrays(pickle.Unpickler):
    """Reads pickles of arrays, and runs nothing else that a pickle may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what an array is made by; refuse the rest."""
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module.endswith(".multiarray"):
            return np.zeros(0).__reduce__()[0]
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding: text.encode(encoding)
        raise _NotArraysError(f"its pickle asks for {module}.{name}, expected arrays only")
