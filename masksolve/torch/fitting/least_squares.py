r"""The best weights under a mask: least squares from normal equations.

Each output is a problem of its own over its kept weights S,

    min u A u - 2 t u,  u = 0 outside S,  so that A_SS u = t_S.

All of them share A, so conjugate gradients solve them side by side, with two products of all
outputs a step instead of a factorisation for each. Preconditioned by the kept part of A^-1, which
is at least A_SS^-1, they prove by r (A^-1)_SS r, which they compute anyway from the residual r,
how far from the least error they still are; where a few steps do, they go without.
"""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.torch.fitting.system import Damped

__all__ = ["improve_masked", "solve_masked"]

EXCESS = 1e-7
"""Proven of every output: its error is at most by so much of the dense u A u above the least."""
STEPS = {torch.float32: 150, torch.float64: 1000}
"""At most. Single precision does, unless A is badly conditioned."""


def solve_masked(equations: Damped, mask: Tensor, start: Tensor) -> Tensor:
    """Find the best weights under a mask, proven to be as good as can be told from the rows.

    Parameters
    ----------
    equations : Damped
    mask : Tensor of bool, (parts, outputs, features)
    start : Tensor of that shape
        Its kept part is where to start, in the units of u.

    Returns
    -------
    Tensor of that shape
        Zero where the mask is, in the units of u.
    """
    matrix, inverse, dense = equations.matrix, equations.inverse, equations.system.dense
    enough = EXCESS * ((dense @ matrix) * dense).sum(-1, keepdim=True)
    found = start * mask
    for dtype, steps in STEPS.items():
        residual = (equations.target - found @ matrix) * mask
        if bool((((residual @ inverse) * residual).sum(-1, keepdim=True) <= enough).all()):
            break
        found = found + _descend(
            matrix.to(dtype),
            inverse.to(dtype),
            residual.to(dtype),
            mask.to(dtype),
            enough.to(dtype),
            steps,
        )
        if dtype == matrix.dtype:
            break
    return found


def improve_masked(equations: Damped, mask: Tensor, start: Tensor, steps: int) -> Tensor:
    """Go some steps towards the best weights under a mask.

    Without the inverse, which in the units of u gains less than it costs: six such steps take what
    three with it do.

    Parameters
    ----------
    equations, mask, start
        As for `solve_masked`.
    steps : int

    Returns
    -------
    Tensor
        As of `solve_masked`.
    """
    kept = mask.to(start.dtype)
    found = start * kept
    left = (equations.target - found @ equations.matrix).mul_(kept)
    nothing = torch.zeros_like(left[..., :1])
    return found + _descend(equations.matrix, None, left, kept, nothing, steps)


def _descend(
    matrix: Tensor, inverse: Tensor | None, left: Tensor, kept: Tensor, enough: Tensor, steps: int
) -> Tensor:
    """Return what to add to make up for what is left, by conjugate gradients."""
    found = torch.zeros_like(left)
    direction = left if inverse is None else (left @ inverse) * kept
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
        scaled = left if inverse is None else (left @ inverse) * kept
        new = (left * scaled).sum(-1, keepdim=True)
        direction = torch.addcmul(scaled, torch.where(going, new / excess, 0), direction)
        excess = torch.where(going, new, 0)
    return found
