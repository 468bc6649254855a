"""ImageNet from folders: ``train`` and ``val``, in each a folder of JPEGs a class."""

from __future__ import annotations

import os
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from masksolve.errors import FileFormatError

from .batches import Batch

__all__ = ["load_imagenet"]

SIDE, RESIZED = 224, 256
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
SUFFIXES = {".jpeg", ".jpg", ".png"}
CLASSES = 1000
WHAT = "ImageNet as train/CLASS/*.JPEG and val/CLASS/*.JPEG"


class _Folder(Dataset[Batch]):
    """Images of a folder a class; cut at random where they are learned from."""

    def __init__(self, folder: Path, classes: list[str], *, train: bool) -> None:
        self._train = train
        self._files = [
            (path, k)
            for k, name in enumerate(classes)
            for path in sorted((folder / name).iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        if not self._files:
            raise FileFormatError(f"{folder} holds no images: expected {WHAT}")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, k: int) -> Any:
        path, label = self._files[k]
        try:
            with Image.open(path) as image:
                colours = image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:  # as Pillow may
            raise FileFormatError(f"cannot read {path}: {error}") from error
        cut = _random_cut(colours) if self._train else _middle(colours)
        if self._train and torch.rand(()) < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return _normalised(cut), label


class _Batches(DataLoader[Batch]):
    """Batches that other processes make; says in a sentence why one of them failed."""

    def __iter__(self) -> Any:
        try:
            yield from super().__iter__()
        except FileFormatError as error:  # with the process's traceback before it
            reason = str(error).strip().rpartition(f"{FileFormatError.__name__}: ")[2]
            raise FileFormatError(reason) from None


def load_imagenet(folder: Path, batch: int, *, train: bool) -> DataLoader[Batch]:
    """Give batches of the images to learn, or of those to test with.

    Images are read as they are needed, by as many processes as there are cores.

    Parameters
    ----------
    folder : Path
    batch : int
    train : bool

    Raises
    ------
    FileFormatError
        If folders or images are missing.
    """
    classes = {part: _classes(folder / part) for part in ("train", "val")}
    missing = set(classes["train"]) ^ set(classes["val"])
    if missing:
        raise FileFormatError(
            f"{folder} has the class {min(missing)} in only one of train and val: expected {WHAT}"
        )
    if len(classes["train"]) > CLASSES:
        raise FileFormatError(
            f"{folder / 'train'} has {len(classes['train'])} classes: ImageNet has {CLASSES}"
        )
    part = "train" if train else "val"
    return _Batches(
        _Folder(folder / part, classes[part], train=train),
        batch,
        shuffle=train,
        num_workers=os.cpu_count() or 1,
        pin_memory=torch.cuda.is_available(),
    )


def _classes(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise FileFormatError(f"there is no folder {folder}: expected {WHAT}")
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not found:
        raise FileFormatError(f"{folder} holds no folders of classes: expected {WHAT}")
    return found


def _random_cut(image: Image.Image) -> Image.Image:
    """Cut 8 to 100 % of the area, of a ratio of sides from 3/4 to 4/3, as Inception did."""
    area = image.width * image.height
    for _ in range(10):
        share, ratio, x, y = torch.rand(4).tolist()
        wanted = area * (0.08 + 0.92 * share)
        sides = sqrt(exp(log(3 / 4) + ratio * (log(4 / 3) - log(3 / 4))))
        width, height = round(sqrt(wanted) * sides), round(sqrt(wanted) / sides)
        if 0 < width <= image.width and 0 < height <= image.height:
            left, top = int(x * (image.width - width + 1)), int(y * (image.height - height + 1))
            box = (left, top, left + width, top + height)
            return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
    return _middle(image)


def _middle(image: Image.Image) -> Image.Image:
    """Cut the middle out of the image, its shorter side made 256."""
    scale = RESIZED / min(image.size)
    size = max(SIDE, round(scale * image.width)), max(SIDE, round(scale * image.height))
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    resized = image.resize(size, Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + SIDE, top + SIDE))


def _normalised(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).movedim(-1, 0).float() / 255
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return (pixels - mean) / deviation
