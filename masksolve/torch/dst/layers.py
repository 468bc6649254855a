"""Linear layers and convolutions with thresholds."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from masksolve.torch.dst.options import PUBLISHED_BELOW
from masksolve.torch.dst.thresholds import Thresholded
from masksolve.torch.layouts import Layout, layouts_of

__all__ = ["Conv1d", "Conv2d", "Linear"]


class _Single(Thresholded):
    """Has one matrix, ``weight``, and its thresholds, ``threshold``."""

    weight: nn.Parameter
    threshold: nn.Parameter

    def __init__(
        self, *arguments: Any, reset_below: float | None = PUBLISHED_BELOW, **others: Any
    ) -> None:
        super().__init__(*arguments, reset_below=reset_below, **others)

    def matrices(self) -> dict[str, tuple[str, ...]]:
        """Return the weights that get thresholds, and how their matrices are called."""
        return {"weight": ("",)}

    def layout(self, name: str) -> Layout:
        """Return how a weight holds its matrices, as for N:M masks."""
        return layouts_of(self)[name]


class Linear(_Single, nn.Linear):
    """A linear layer that learns which weights to use.

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        As for ``torch.nn.Linear``.
    thresholds : {"vector", "scalar", "matrix"}
        One for each output, for the layer, for each weight.
    initial : float
        Their first value: 0 keeps every weight.
    reset_below : float or None
        In training mode thresholds go back to 0 once no more than this share is kept, as
        published; None: they never do.

    Examples
    --------
    >>> import torch
    >>> layer = Linear(4, 2)
    >>> layer.weight.data = torch.tensor([[0.3, -0.1, 0.2, 0.0], [-0.3, 0.1, 0.2, 0.4]])
    >>> layer.threshold.data = torch.tensor([0.0, 0.25])
    >>> layer.masked("weight").detach()
    tensor([[ 0.3000, -0.1000,  0.2000,  0.0000],
            [-0.3000,  0.0000,  0.0000,  0.4000]])
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Apply the masked weight."""
        return functional.linear(input, self.masked("weight"), self.bias)


class _Convolution(_Single):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Apply the masked kernel."""
        found: Tensor = self._conv_forward(input, self.masked("weight"), self.bias)
        return found


class Conv1d(_Convolution, nn.Conv1d):
    """A convolution that learns which weights to use: a threshold for each filter.

    Parameters
    ----------
    *arguments, **others
        As for ``torch.nn.Conv1d``.
    thresholds, initial, reset_below
        As for `Linear`.

    Examples
    --------
    >>> Conv1d(4, 8, 3).threshold.shape
    torch.Size([8])
    """


class Conv2d(_Convolution, nn.Conv2d):
    """A convolution that learns which weights to use: a threshold for each filter.

    Parameters
    ----------
    *arguments, **others
        As for ``torch.nn.Conv2d``.
    thresholds, initial, reset_below
        As for `Linear`.

    Examples
    --------
    >>> Conv2d(4, 8, 3, thresholds="matrix").threshold.shape
    torch.Size([8, 4, 3, 3])
    """
