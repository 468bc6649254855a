"""What a model is calibrated with, and the share of it that is held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count, as_number
from masksolve.torch.language.folder import LanguageModel
from masksolve.torch.language.reading import read_tokens
from masksolve.torch.language.windows import as_length, cut

__all__ = ["HELD_OUT", "SAMPLES", "Calibration", "few_tokens", "read_calibration"]

SAMPLES = 128
HELD_OUT = 0.125
ENOUGH = 10
"""Tokens for each input of the widest layer, under which least squares fit much noise."""


@dataclass(frozen=True)
class Calibration:
    """Windows of tokens: those that are fitted, and those that only judge the fit.

    Attributes
    ----------
    fit, held_out : Tensor
        int64, (windows, length); `held_out` may have none.
    found : int
        Tokens in the file.
    warnings : tuple of str
        What was not as asked for.
    """

    fit: Tensor
    held_out: Tensor
    found: int
    warnings: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """How many tokens are fitted."""
        return int(self.fit.numel())


def read_calibration(
    path: str | Path,
    model: LanguageModel | str | Path,
    *,
    samples: int = SAMPLES,
    length: int | None = None,
    seed: int = 0,
    held_out: float = HELD_OUT,
) -> Calibration:
    """Read calibration windows, spread over the whole of a text.

    Parameters
    ----------
    path : str or Path
        Text, JSON lines or tokens: see `read_tokens`.
    model : LanguageModel, str or Path
        The folder whose tokenizer reads text, and whose vocabulary holds the tokens.
    samples : int
        Windows in all, those that are held out among them.
    length : int, optional
        Tokens of a window; default: 2048, or as many as the model reads at once.
    seed : int
        Settles where windows lie, and which are held out.
    held_out : float
        The share of the windows that is held out, from 0 to below 1; of two windows or more,
        at least one unless it is 0.

    Returns
    -------
    Calibration

    Raises
    ------
    FileFormatError, InvalidInput
        As `read_tokens`; or if the text is too short for one window, or a number makes no sense.
    """
    model = model if isinstance(model, LanguageModel) else LanguageModel(model)
    samples, share = as_count(samples, "samples"), as_number(held_out, "held_out", 0)
    if share >= 1:
        raise InvalidInput(f"held_out must be a share from 0 to below 1, got {held_out!r}")
    length = as_length(length, model)
    tokens = read_tokens(path, model)
    windows = cut(tokens, length, samples, seed)
    count, warnings = len(windows), []
    if count < samples:
        warnings.append(
            f"{path} holds {tokens.ids.size:,} tokens: {count} windows of {length}, "
            f"where {samples} were asked for"
        )
    apart = _held_out(count, share, seed)
    if share and not apart.any():
        warnings.append(f"{path} fills a single window of {length}: nothing is held out")
    return Calibration(windows[~apart], windows[apart], tokens.ids.size, tuple(warnings))


def few_tokens(tokens: int, widest: int) -> str | None:
    """Return a warning if there are fewer tokens than ten times the widest input; else None.

    Parameters
    ----------
    tokens : int
        That are fitted.
    widest : int
        Inputs of the widest layer.

    Examples
    --------
    >>> few_tokens(12_288, 1536)
    '12,288 tokens calibrate layers of up to 1,536 inputs: with fewer than 15,360, ten times as
    many, part of what is fitted is noise'
    >>> few_tokens(12_288, 576) is None
    True
    """
    if tokens >= ENOUGH * widest:
        return None
    return (
        f"{tokens:,} tokens calibrate layers of up to {widest:,} inputs: with fewer than "
        f"{ENOUGH * widest:,}, ten times as many, part of what is fitted is noise"
    )


def _held_out(count: int, share: float, seed: int) -> Tensor:
    """Tell which windows are held out: as evenly spread as the others."""
    number = min(max(round(share * count), int(share > 0)), count - 1)
    apart = torch.zeros(count, dtype=torch.bool)
    if number:
        stretch = np.arange(number) * count // number
        phase = int(np.random.default_rng(seed).integers(count // number))
        apart[torch.from_numpy(stretch + phase)] = True
    return apart
