"""Entropic transport, rounded: `masksolve.solvers.entropic` for all tiles in step.

The rival that `exact` is timed against on a device, so written as well as can be: one kernel
takes a tile from its scores to its mask in registers, where there is Triton.
"""

from __future__ import annotations

from torch import Tensor

from masksolve.torch.gpu.batched.fused import launch, usable
from masksolve.torch.gpu.batched.greedy import keep_heaviest
from masksolve.torch.gpu.batched.repair import ROUNDING, fill_lines
from masksolve.torch.gpu.batched.transport import Schedule, plans, range_of

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
    begin = sharpness * 0.5**doublings
    if 2 * begin > range_of(scores.dtype)[0]:
        scores = scores.double()
    if usable(scores):
        from masksolve.torch.gpu.batched.fused_entropic import entropic_kernel

        limit, largest = range_of(scores.dtype)
        return launch(
            entropic_kernel,
            scores,
            n,
            begin,
            doublings,
            rounds,
            tolerance,
            limit,
            largest,
            ROUNDING[scores.dtype],
            at_most,
        )
    schedule = Schedule(sharpness, doublings, rounds, tolerance)
    y = plans(scores, n, at_most, schedule)
    mask = keep_heaviest(y, n, scores > 0 if at_most else None)
    fill_lines(scores, n, at_most, mask)
    return mask
