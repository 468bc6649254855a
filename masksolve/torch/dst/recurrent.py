"""LSTMs with thresholds: eight matrices a layer, one threshold each for every hidden unit."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.torch.dst.thresholds import Thresholded
from masksolve.torch.layouts import Layout

__all__ = ["LSTM", "LSTMCell"]

GATES = ("input", "forget", "update", "output")
"""In torch's order."""


class LSTMCell(Thresholded, nn.LSTMCell):
    """An LSTM cell that learns which weights to use.

    Of ``weight_ih`` and ``weight_hh`` each holds four matrices, for the input, forget, update
    and output gates; thresholds are ``threshold_ih`` and ``threshold_hh``.

    Parameters
    ----------
    input_size, hidden_size, bias, device, dtype
        As for ``torch.nn.LSTMCell``.
    thresholds, initial
        As for `Linear`; scalar is one for each of the eight matrices.
    reset_below : float or None
        As for `Linear`, for each of the eight matrices alone. None, as published: never.

    Examples
    --------
    >>> LSTMCell(28, 128).threshold_ih.shape
    torch.Size([512])
    """

    def matrices(self) -> dict[str, tuple[str, ...]]:
        """Return the weights that get thresholds, and how their matrices are called."""
        return {"weight_ih": GATES, "weight_hh": GATES}

    def layout(self, name: str) -> Layout:
        """Return how a weight holds its matrices, as for N:M masks."""
        return Layout(parts=len(GATES))

    def forward(
        self,
        input: Tensor,  # noqa: A002 - torch's name
        hx: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Take a step; see ``torch.nn.LSTMCell``."""
        if input.ndim not in (1, 2):
            raise InvalidInput(
                f"an LSTMCell takes an input of shape (batch, {self.input_size}) or "
                f"({self.input_size},), got {tuple(input.shape)}"
            )
        single = input.ndim == 1
        x = input[None] if single else input
        if hx is None:
            zeros = x.new_zeros(len(x), self.hidden_size)
            hx = zeros, zeros
        elif single:
            hx = hx[0][None], hx[1][None]
        weights = self.masked("weight_ih"), self.masked("weight_hh")
        h, c = torch.lstm_cell(x, hx, *weights, self.bias_ih, self.bias_hh)
        return (h[0], c[0]) if single else (h, c)


class LSTM(Thresholded, nn.LSTM):
    """An LSTM that learns which weights to use.

    The thresholds of ``weight_ih_l0`` are ``threshold_ih_l0``, and so on. Masks are made
    once a call, not once a time step.

    Parameters
    ----------
    *arguments, **others
        As for ``torch.nn.LSTM``, any number of layers, in both directions too.
    thresholds, initial, reset_below
        As for `LSTMCell`.

    Examples
    --------
    >>> lstm = LSTM(28, 128, num_layers=2, batch_first=True)
    >>> sorted(name for name, _ in lstm.named_parameters() if "threshold" in name)
    ['threshold_hh_l0', 'threshold_hh_l1', 'threshold_ih_l0', 'threshold_ih_l1']
    """

    _flat_weights: list[Any]

    def matrices(self) -> dict[str, tuple[str, ...]]:
        """Return the weights that get thresholds, and how their matrices are called."""
        names = [name for name in self._flat_weights_names if name.startswith("weight")]
        return {name: ("",) if name.startswith("weight_hr") else GATES for name in names}

    def layout(self, name: str) -> Layout:
        """Return how a weight holds its matrices, as for N:M masks."""
        return Layout(parts=len(self.matrices()[name]))

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002 - torch's name
        """Run over sequences; see ``torch.nn.LSTM``."""
        self._update_flat_weights()
        dense = self._flat_weights
        names = self.matrices()
        # What torch's own forward hands to its kernel.
        self._flat_weights = [
            self.masked(name) if name in names else weight
            for name, weight in zip(self._flat_weights_names, dense, strict=True)
        ]
        try:
            with warnings.catch_warnings():
                # cuDNN copies weights that do not lie together: products never do.
                warnings.filterwarnings("ignore", "RNN module weights are not part of single")
                return nn.LSTM.forward(self, input, hx)
        finally:
            self._flat_weights = dense
