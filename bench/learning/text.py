"""Characters of Python's own documentation, to learn each one's successor.

The text is that of help()'s topics, which every Python brings along; it differs a little
between versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import torch

from .digits import Batch

__all__ = ["ALPHABET", "Characters"]

ALPHABET = "\n" + "".join(chr(k) for k in range(32, 127))
"""96 characters; others are left out."""
BLOCK = 4096
"""The text is cut into blocks of so many characters,"""
EVERY = 10
"""and the last of every ten is held out."""


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
        self._random = torch.Generator().manual_seed(self.seed)
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
