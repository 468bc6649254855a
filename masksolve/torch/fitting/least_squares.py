r"""The best weights under a mask: least squares from normal equations.

Each output is a problem of its own over its kept weights S,

    min u A u - 2 t u,  u = 0 outside S,  so that A_SS u = t_S.

All of them share A, so conjugate gradients solve them side by side, with two products of all
outputs a step instead of a factorisation for each. They are preconditioned by the kept part of
A^-1, which is at least A_SS^-1: so r (A^-1)_SS r, which they compute anyway from the residual
r, proves how far from the least error they still are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.torch.fitting.system import Damped

__all__ = ["EXCESS", "solve_masked"]

EXCESS = 1e-7
"""Proven of every output: its error is at most by so much of the dense u A u above the least."""
STEPS = {torch.float32: 150, torch.float64: 1000}
"""At most. Single precision does, unless A is badly conditioned."""


def solve_masked(
    equations: Damped,
    mask: Tensor,
    start: Tensor,
    *,
    excess: float = EXCESS,
    steps: int | None = None,
) -> Tensor:
    """Find the best weights under a mask.

    Parameters
    ----------
    equations : Damped
    mask : Tensor of bool, (parts, outputs, features)
    start : Tensor of that shape
        Its kept part is where to start, in the units of u.
    excess : float
        Enough.
    steps : int, optional
        In single precision, and no more. Default: until it is enough.

    Returns
    -------
    Tensor of that shape
        Zero where the mask is, in the units of u.
    """
    matrix, inverse, dense = equations.matrix, equations.inverse, equations.system.dense
    enough = excess * ((dense @ matrix) * dense).sum(-1, keepdim=True)
    found = start * mask
    for dtype, most in STEPS.items():
        residual = (equations.target - found @ matrix) * mask
        if bool((((residual @ inverse) * residual).sum(-1, keepdim=True) <= enough).all()):
            break
        found = found + _descend(
            matrix.to(dtype),
            inverse.to(dtype),
            residual.to(dtype),
            mask.to(dtype),
            enough.to(dtype),
            most if steps is None else steps,
        )
        if dtype == matrix.dtype or steps is not None:
            break
    return found


def _descend(
    matrix: Tensor, inverse: Tensor, left: Tensor, kept: Tensor, enough: Tensor, steps: int
) -> Tensor:
    """Return what to add to make up for what is left, by conjugate gradients."""
    found = torch.zeros_like(left)
    direction = (left @ inverse) * kept
    excess = (left * direction).sum(-1, keepdim=True)
    for _ in range(steps):
        # An output that is done stands still: it would go on to divide by nothing.
        going = excess > enough
        if not going.any():
            break
        product = (direction @ matrix) * kept
        slope = (direction * product).sum(-1, keepdim=True)
        going &= slope > 0
        length = torch.where(going, excess / slope, 0)
        found = torch.addcmul(found, length, direction)
        left = torch.addcmul(left, length, product, value=-1)
        scaled = (left @ inverse) * kept
        new = (left * scaled).sum(-1, keepdim=True)
        direction = torch.addcmul(scaled, torch.where(going, new / excess, 0), direction)
        excess = torch.where(going, new, 0)
    return found
