"""Perplexity over windows of a text, with what chance may have done to it.

A window's loss is the mean of ``-log p(token | what came before it in the window)``, its first
token aside. Perplexity is ``exp`` of the mean over windows, which all have the same length. The
standard error is that of the mean over windows (tokens of one window are not independent), times
the perplexity: the delta method. Of two models on the same windows the ratio is ``exp`` of the
mean difference, and what makes a window hard for both cancels from its error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from masksolve.errors import InvalidInput

__all__ = ["Perplexity", "Ratio", "window_losses"]

LOGITS = 1 << 27
"""Logits that a model may make at once: half a gigabyte of float32."""


@dataclass(frozen=True)
class Perplexity:
    """How many tokens a model wavers between, on average.

    Attributes
    ----------
    losses : Tensor
        float64, (windows,): mean negative log-likelihood of each window's tokens, in nats.
    """

    losses: Tensor

    @property
    def value(self) -> float:
        """The perplexity; infinite past what floats hold."""
        return _exp(float(self.losses.mean()))

    @property
    def error(self) -> float:
        """Its standard error over windows; NaN for a single one."""
        return self.value * _standard_error(self.losses)

    def beside(self, other: Perplexity) -> Ratio:
        """Compare with another model on the same windows."""
        return Ratio(self.losses - other.losses)


@dataclass(frozen=True)
class Ratio:
    """A perplexity over another's, paired by windows.

    Attributes
    ----------
    differences : Tensor
        float64, (windows,): of the losses, in nats.
    """

    differences: Tensor

    @property
    def value(self) -> float:
        """How many times the other's perplexity."""
        return _exp(float(self.differences.mean()))

    @property
    def error(self) -> float:
        """Its standard error over windows; NaN for a single one."""
        return self.value * _standard_error(self.differences)


def _exp(number: float) -> float:
    return math.exp(number) if number < 700 else math.inf


def _standard_error(values: Tensor) -> float:
    if len(values) < 2:
        return math.nan
    return float(values.std()) / math.sqrt(len(values))


def window_losses(
    model: Any,
    windows: Tensor,
    *,
    vocabulary: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Return the loss of each window.

    Parameters
    ----------
    model : torch.nn.Module
        Called with token ids, it returns an object with ``logits``, as in transformers.
    windows : Tensor
        int64, (windows, length), on any device.
    vocabulary : int, optional
        How many logits a token has, which settles how many windows are read at once; one if None.
    progress : function of (done, total), optional
        Told of the windows that are done.

    Returns
    -------
    Tensor
        float64, (windows,), on the CPU, in nats.

    Raises
    ------
    InvalidInput
        If the model gives what is not finite.
    """
    device = next(model.parameters()).device
    batch = max(1, LOGITS // (windows.shape[1] * (vocabulary or LOGITS)))
    found: list[Tensor] = []
    done = 0
    with torch.inference_mode():
        for part in windows.split(batch):
            ids = part.to(device)
            logits = model(ids, use_cache=False).logits
            found += [
                cross_entropy(row[:-1].float(), own[1:]).double().cpu()
                for row, own in zip(logits, ids, strict=True)
            ]
            bad = next((k for k in range(done, len(found)) if not found[k].isfinite()), None)
            if bad is not None:
                raise InvalidInput(f"the model's loss is {found[bad].item()} on window {bad}")
            done = len(found)
            if progress is not None:
                progress(done, len(windows))
    return torch.stack(found)
