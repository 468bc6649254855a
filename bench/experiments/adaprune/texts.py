"""The sentences: from the docstrings of the standard library that every Python holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from masksolve.errors import InvalidInput

from ...activations import sentences_of
from ...learning import docstrings

__all__ = ["Texts", "library", "split"]

MOST = 60
"""Sentences of one module; a few would say most of all."""

Library: TypeAlias = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Texts:
    """What calibrates, and what is held out: sentences of different modules.

    Attributes
    ----------
    calibration, held_out : list of str
    """

    calibration: list[str]
    held_out: list[str]


@cache
def library() -> Library:
    """Return sentences by module, each of them once; no module is imported.

    They differ a little between versions of Python.
    """
    seen: set[str] = set()
    found: Library = {}
    for name in docstrings.modules():
        fresh: list[str] = []
        for text in docstrings.of_module(name):
            for sentence in sentences_of(text):
                if sentence not in seen and len(fresh) < MOST:
                    seen.add(sentence)
                    fresh.append(sentence)
        if fresh:
            found[name] = tuple(fresh)
    return found


def split(seed: int, calibration: int, held_out: int) -> Texts:
    """Draw sentences of one half of the modules to calibrate, of the other to hold out.

    Raises
    ------
    InvalidInput
        If this Python's library has too few.
    """
    rng = np.random.default_rng(seed)
    modules = list(library())
    order = [modules[k] for k in rng.permutation(len(modules))]
    half = len(order) // 2
    drawn = []
    for names, count in ((order[:half], calibration), (order[half:], held_out)):
        pool = [sentence for name in names for sentence in library()[name]]
        if len(pool) < count:
            raise InvalidInput(
                f"half the standard library in {docstrings.where()} has docstrings "
                f"of {len(pool)} plain sentences: expected {count}"
            )
        drawn.append([pool[k] for k in rng.choice(len(pool), count, replace=False)])
    return Texts(*drawn)
