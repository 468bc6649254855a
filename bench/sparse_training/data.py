"""What is learned: handwritten digits, and characters of Python's own documentation.

The text is that of help()'s topics, which every Python brings along; it differs a little
between versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import torch
from sklearn.datasets import load_digits
from torch.nn import functional

__all__ = ["ALPHABET", "Characters", "Digits"]

Batch = tuple[torch.Tensor, torch.Tensor]

ALPHABET = "\n" + "".join(chr(k) for k in range(32, 127))
"""96 characters; others are left out."""
BLOCK = 4096
"""The text is cut into blocks of so many characters,"""
EVERY = 10
"""and the last of every ten is held out."""


@dataclass
class Digits:
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
        images, classes = _digits()
        self._random = _generator(self.seed)
        order = torch.randperm(len(classes), generator=self._random)
        learned, held = order[: self.learned], order[self.learned :]
        self._images, self._classes = images[learned], classes[learned]
        self._held = images[held], classes[held]

    def next(self) -> Batch:
        """Draw a batch of images and classes."""
        which = torch.randint(self.learned, (self.batch,), generator=self._random)
        across, down = torch.randint(3, (2, self.batch), generator=self._random)
        padded = functional.pad(self._images[which], (1, 1, 1, 1))
        rows = (down[:, None] + torch.arange(8))[:, :, None]
        columns = (across[:, None] + torch.arange(8))[:, None, :]
        moved = padded[torch.arange(self.batch)[:, None, None], 0, rows, columns]
        return moved[:, None], self._classes[which]

    def held_out(self) -> list[Batch]:
        """Return what is held out, in batches, as it is."""
        return [self._held]


@dataclass
class Characters:
    """Pieces of text, and the same one character further.

    Parameters
    ----------
    seed : int
        Settles the batches; what is held out is the same for all.
    length : int
    batch : int
    held : int
        Pieces that are held out, spread evenly.
    """

    seed: int
    length: int
    batch: int
    held: int

    def __post_init__(self) -> None:
        self._random = _generator(self.seed)
        self._text, held = _text()
        starts = torch.linspace(0, len(held) - self.length - 1, self.held).long()
        self._held = _pieces(held, starts, self.length)

    def next(self) -> Batch:
        """Draw a batch of pieces from anywhere in the text."""
        last = len(self._text) - self.length
        starts = torch.randint(last, (self.batch,), generator=self._random)
        return _pieces(self._text, starts, self.length)

    def held_out(self) -> list[Batch]:
        """Return what is held out, in batches."""
        inputs, targets = (part.split(self.batch) for part in self._held)
        return list(zip(inputs, targets, strict=True))


def _pieces(text: torch.Tensor, starts: torch.Tensor, length: int) -> Batch:
    windows = starts[:, None] + torch.arange(length)
    return text[windows], text[windows + 1]


@cache
def _digits() -> Batch:
    images, classes = load_digits(return_X_y=True)
    pixels = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    return pixels, torch.tensor(classes)


@cache
def _text() -> Batch:
    """Return the text as numbers of characters: what is learned, what is held out."""
    whole = "\n".join(topics[name] for name in sorted(topics))
    whole = re.sub(r"[-=*~+|]{4,}", "", whole)  # rules of headings and tables
    whole = re.sub(r" {2,}", " ", re.sub(r"\s*\n\s*", "\n", whole))
    places = {character: k for k, character in enumerate(ALPHABET)}
    numbers = torch.tensor([places[c] for c in whole if c in places])
    blocks = numbers.split(BLOCK)
    held = [block for k, block in enumerate(blocks) if k % EVERY == EVERY - 1]
    learned = [block for k, block in enumerate(blocks) if k % EVERY != EVERY - 1]
    return torch.cat(learned), torch.cat(held)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
