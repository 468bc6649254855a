"""Entropic transport, rounded: `masksolve.solvers.entropic` for all tiles in step."""

from __future__ import annotations

from torch import Tensor

from masksolve.torch.batched.greedy import keep_heaviest
from masksolve.torch.batched.repair import fill_lines
from masksolve.torch.batched.transport import Schedule, plans, precise_enough

__all__ = ["entropic"]


def entropic(
    scores: Tensor,
    n: int,
    at_most: bool,
    *,
    sharpness: float,
    doublings: int,
    rounds: int,
    tolerance: float,
) -> Tensor:
    """Find a fractional plan by Dykstra's projections, round it, fill short lines.

    Parameters
    ----------
    scores : Tensor of float32 or float64, (tiles, m, m)
        Contiguous. In single precision plans below 1e-38 count as equal; so what begins
        sharper than exp(-80) is done in double.
    n : int
    at_most : bool
        Keep positive scores only, and exchange only where that gains.
    sharpness, doublings, rounds, tolerance
        Options of ``METHODS["entropic"]``.

    Returns
    -------
    Tensor of bool, (tiles, m, m)

    Examples
    --------
    >>> import torch
    >>> from masksolve.solvers import METHODS, as_options
    >>> options = as_options("entropic", METHODS["entropic"].options, {"rounds": 100})
    >>> entropic(torch.tensor([[[4., 3], [3, 1]]]), 1, at_most=False, **options).int()
    tensor([[[0, 1],
             [1, 0]]], dtype=torch.int32)
    """
    scores = precise_enough(scores, sharpness, doublings)
    schedule = Schedule(sharpness, doublings, rounds, tolerance)
    y = plans(scores, n, at_most, schedule)
    mask = keep_heaviest(y, n, scores > 0 if at_most else None)
    fill_lines(scores, n, at_most, mask)
    return mask
