"""Lightest first: what `masksolve.solvers.two_approx` keeps, without its walk."""

from __future__ import annotations

from torch import Tensor

from masksolve.torch.gpu.batched.lines import select_both

__all__ = ["two_approx"]


def two_approx(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Keep what belongs to the n heaviest of its row and to those of its column.

    That is what is left by pruning from light to heavy while either line lacks prunes: the
    first m - n entries of a line that are met are pruned for its sake, and no other ones.

    Parameters
    ----------
    scores : Tensor of float32 or float64, (tiles, m, m)
        Contiguous.
    n : int
    at_most : bool
        The rule is the same.

    Returns
    -------
    Tensor of bool, (tiles, m, m)

    Examples
    --------
    >>> import torch
    >>> two_approx(torch.tensor([[[4., 3], [2, 1]]]), 1, at_most=False).int()
    tensor([[[1, 0],
             [0, 0]]], dtype=torch.int32)
    """
    return select_both(scores, n)
