"""The n largest of every line: plain N:M, exact as it is, and the 2-approximation."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["select", "two_approx"]


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
    kept = _among_largest(scores, n)
    return kept & (scores > 0) if at_most else kept


def two_approx(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Keep what belongs to the n largest of its row and to those of its column.

    That is what `masksolve.solvers.two_approx` leaves by pruning from light to heavy while
    either line lacks prunes: the first m - n entries of a line that are met are pruned for its
    sake, and no other ones. The rule for at most n is the same.

    Examples
    --------
    >>> two_approx(torch.tensor([[[4., 3], [2, 1]]]), 1, at_most=False).int()
    tensor([[[1, 0],
             [0, 0]]], dtype=torch.int32)
    """
    return _among_largest(scores, n) & _among_largest(scores.mT, n).mT


def _among_largest(scores: Tensor, n: int) -> Tensor:
    """Mark the n largest along the last axis."""
    order = scores.sort(dim=-1, descending=True, stable=True).indices[..., :n]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order, True)
