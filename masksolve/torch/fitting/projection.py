"""Masks of several weights side by side, and how long they took."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from masksolve.compiling import Stopwatch
from masksolve.torch.fitting.settings import FitSettings
from masksolve.torch.solving import solve_mask

__all__ = ["Projection"]


class Projection:
    """Finds the masks of weights that lie above each other, each for itself.

    Parameters
    ----------
    outputs : sequence of int
        Of each weight.
    settings : FitSettings

    Attributes
    ----------
    seconds : float
        That masks took until now.
    """

    def __init__(self, outputs: Sequence[int], settings: FitSettings) -> None:
        self.outputs = list(outputs)
        self._settings = settings
        self.seconds = 0.0

    def __call__(self, scores: Tensor) -> Tensor:
        """Return the mask that keeps the most of scores, (1, outputs, features)."""
        watch = Stopwatch()
        asked = self._settings
        found = [
            solve_mask(
                one,
                asked.pattern,
                method=asked.method,
                options=asked.options,
                score=None,
                threads=asked.threads,
            )
            for one in scores[0].split(self.outputs)
        ]
        self.seconds += watch.seconds
        return torch.cat(found).unsqueeze(0)
