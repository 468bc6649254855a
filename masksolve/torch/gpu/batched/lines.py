"""The n largest of every line: plain N:M, exact as it is, and half of `two_approx`."""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.torch.gpu.batched.fused import launch, usable

__all__ = ["select", "select_both"]


def select(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Keep the n largest of every row, the first among equals.

    Parameters
    ----------
    scores : Tensor of float32 or float64, (tiles, h, w)
        Contiguous.
    n : int
    at_most : bool
        Keep positive scores only.

    Returns
    -------
    Tensor of bool, (tiles, h, w)

    Examples
    --------
    >>> select(torch.tensor([[[3., 1, 3, 3], [0, 1, 0, 0]]]), 2, at_most=True).int()
    tensor([[[1, 0, 1, 0],
             [0, 1, 0, 0]]], dtype=torch.int32)
    """
    if usable(scores):
        from masksolve.torch.gpu.batched.fused_lines import select_kernel

        return launch(select_kernel, scores, n, at_most, False)
    kept = _among_largest(scores, n)
    return kept & (scores > 0) if at_most else kept


def select_both(scores: Tensor, n: int) -> Tensor:
    """Keep what is among the n largest of its row and of its column."""
    if usable(scores):
        from masksolve.torch.gpu.batched.fused_lines import select_kernel

        return launch(select_kernel, scores, n, False, True)
    return _among_largest(scores, n) & _among_largest(scores.mT, n).mT


def _among_largest(scores: Tensor, n: int) -> Tensor:
    """Mark the n largest along the last axis."""
    order = scores.sort(dim=-1, descending=True, stable=True).indices[..., :n]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order, True)
