"""Windows: pieces of a text, all of one length, that do not overlap."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count
from masksolve.torch.language.folder import LanguageModel
from masksolve.torch.language.reading import Tokens

__all__ = ["LENGTH", "as_length", "cut", "spread"]

LENGTH = 2048
"""Tokens of a window, where the model reads so many."""


def as_length(length: int | None, model: LanguageModel) -> int:
    """Return how long windows are; None: `LENGTH`, or as many tokens as the model reads.

    Of models that number places from elsewhere than 0, as RoBERTa's kin do, the tokenizer alone
    knows how many these are.

    Raises
    ------
    InvalidInput
        If it is no number, under 2, or more than the model reads.
    """
    longest = model.longest
    if length is None:
        known = [longest, model.tokenizer.model_max_length if model.reads_text else None]
        return min([LENGTH, *(number for number in known if number)])
    number = as_count(length, "length", 2)
    if longest is not None and number > longest:
        raise InvalidInput(
            f"length is {number}, but {model.path} reads at most {longest} tokens at once"
        )
    return number


def spread(found: int, wanted: int | None, rng: np.random.Generator) -> NDArray[np.intp]:
    """Choose `wanted` of `found` pieces all over a text, in order: one of each equal stretch.

    Parameters
    ----------
    found : int
    wanted : int, optional
        All if None, or if there are no more.
    rng : numpy.random.Generator
        Settles which piece of its stretch is taken.

    Examples
    --------
    >>> spread(100, 5, np.random.default_rng(0)).tolist()
    [17, 32, 50, 65, 86]
    """
    if wanted is None or wanted >= found:
        return np.arange(found)
    edges = np.arange(wanted + 1) * found // wanted
    return rng.integers(edges[:-1], edges[1:])


def cut(tokens: Tokens, length: int, wanted: int | None = None, seed: int = 0) -> Tensor:
    """Cut windows from a text, spread over the whole of it.

    The text is divided into as many windows as it has room for, from a start that the seed
    settles, and of these `wanted` are taken, one of each equal stretch of the text.

    Parameters
    ----------
    tokens : Tokens
    length : int
        Of a window, with what the tokenizer puts around a text.
    wanted : int, optional
        How many; all if None. Fewer if the text is too short.
    seed : int

    Returns
    -------
    Tensor
        int64, (windows, length).

    Raises
    ------
    InvalidInput
        If there is not even one.
    """
    room = length - len(tokens.before) - len(tokens.after)
    size = tokens.ids.size
    if room < 1 or size < room:
        raise InvalidInput(
            f"{tokens.path} holds {size} tokens: too few for a single window of {length}"
        )
    rng = np.random.default_rng(as_count(seed, "seed", 0))
    found = size // room
    start = int(rng.integers(size - found * room + 1))
    pieces = tokens.ids[start : start + found * room].reshape(found, room)
    pieces = pieces[spread(found, wanted, rng)]
    around = [
        np.tile(np.array(ids, np.int64), (len(pieces), 1)) for ids in (tokens.before, tokens.after)
    ]
    return torch.from_numpy(np.concatenate([around[0], pieces, around[1]], axis=1))
