"""Dynamic Sparse Training: layers that learn which weights to use (Liu et al. 2020).

Each row of a weight has a threshold that is trained along with it; what lies below it is
masked, and comes back when it grows or the threshold falls.

>>> import torch
>>> from masksolve.torch import dst
>>> model = dst.convert(torch.nn.Sequential(torch.nn.Linear(64, 300), torch.nn.Linear(300, 10)))
>>> loss = model(torch.zeros(8, 64)).square().mean() + dst.sparsity_loss(model, alpha=5e-4)
>>> loss.backward()
>>> dst.remaining(model).total
1.0
"""

from __future__ import annotations

from masksolve import moved as _moved
from masksolve.torch.dst.convert import convert, finalize
from masksolve.torch.dst.heaviside import step, surrogate
from masksolve.torch.dst.layers import Conv1d, Conv2d, Linear
from masksolve.torch.dst.measures import (
    Remaining,
    masks,
    remaining,
    reset,
    sparsity_loss,
    thresholds,
)
from masksolve.torch.dst.projection import Projection, by_share, project
from masksolve.torch.dst.recurrent import LSTM, LSTMCell

__all__ = [
    "LSTM",
    "Conv1d",
    "Conv2d",
    "LSTMCell",
    "Linear",
    "Projection",
    "Remaining",
    "by_share",
    "convert",
    "finalize",
    "masks",
    "project",
    "remaining",
    "reset",
    "sparsity_loss",
    "step",
    "surrogate",
    "thresholds",
]

_moved.alias("masksolve.torch.dst.step")
