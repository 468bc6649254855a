"""Heaviest first, all tiles in step: `masksolve.solvers.greedy`."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["greedy", "keep_heaviest"]


def greedy(scores: Tensor, n: int, at_most: bool) -> Tensor:
    """Keep entries from heavy to light while both their lines have room.

    Parameters
    ----------
    scores : Tensor of float32 or float64, (tiles, m, m)
        Contiguous.
    n : int
    at_most : bool
        Keep positive scores only.

    Returns
    -------
    Tensor of bool, (tiles, m, m)

    Examples
    --------
    >>> greedy(torch.tensor([[[4., 3], [2, 1]]]), 1, at_most=False).int()
    tensor([[[1, 0],
             [0, 1]]], dtype=torch.int32)
    """
    return keep_heaviest(scores, n, scores > 0 if at_most else None)


def keep_heaviest(weights: Tensor, n: int, takes: Tensor | None) -> Tensor:
    """Walk over entries by falling weight, equals in row-major order, m * m steps for all.

    Parameters
    ----------
    weights : Tensor, (tiles, m, m)
    n : int
    takes : Tensor of bool, of the same shape, optional
        What may be kept; default: all.

    Returns
    -------
    Tensor of bool, (tiles, m, m)
    """
    tiles, m, _ = weights.shape
    order = weights.reshape(tiles, m * m).sort(dim=1, descending=True, stable=True).indices
    entries = order.t().contiguous()  # a step's entries lie side by side
    row, column = entries // m, entries % m
    able = takes.reshape(tiles, m * m).t().gather(0, entries) if takes is not None else None
    rows = torch.full((m, tiles), n, dtype=torch.int32, device=weights.device)
    columns = rows.clone()
    taken = torch.empty_like(entries, dtype=torch.bool)
    for k in range(m * m):
        i, j, take = row[k : k + 1], column[k : k + 1], taken[k : k + 1]
        in_row, in_column = rows.gather(0, i), columns.gather(0, j)
        torch.gt(torch.minimum(in_row, in_column), 0, out=take)
        if able is not None:
            take &= able[k : k + 1]
        spent = take.int()
        rows.scatter_(0, i, in_row - spent)
        columns.scatter_(0, j, in_column - spent)
    mask = torch.empty_like(order, dtype=torch.bool)
    return mask.scatter_(1, order, taken.t()).view(tiles, m, m)
