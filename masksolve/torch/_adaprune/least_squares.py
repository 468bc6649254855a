r"""The best weights under a mask, and better masks: least squares from normal equations.

With A = G / rows + lambda I and T the right sides, each output is a problem of its own over
its kept weights S,

    min v A v - 2 t v,  v = 0 outside S,  so that A_SS v = t_S.

All of them share A, so conjugate gradients solve them side by side, with two products of all
outputs a step instead of a factorisation for each. They are preconditioned by the kept part of
A^-1, which is at least A_SS^-1: so r (A^-1)_SS r, which they compute anyway from the residual
r, proves how far from the least error they still are.

Better masks come from ADMM on

    min <V A, V> / 2 - <T, V>  subject to V = Z, Z has a mask of the pattern.

Z's step is a projection, onto the mask that keeps the largest sum of squares: what the exact
solver finds. (Meng et al. 2024, arXiv:2406.07831, do so for unstructured and plain N:M masks.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["better_mask", "identity", "mean_diagonal", "solve_masked"]

EXCESS = 1e-7
"""Proven of every output: its error is at most by so much of v A v above the least."""
STEPS = {torch.float32: 150, torch.float64: 1000}
"""At most. Single precision does, unless A is badly conditioned."""
JITTER = 1e-9, 1e-6, 1e-3
PENALTIES = 0.05, 3.0
"""ADMM's first and last, in means of A's diagonal."""


def solve_masked(matrix: Tensor, target: Tensor, mask: Tensor, dense: Tensor) -> Tensor:
    """Find the best weights under a mask.

    Parameters
    ----------
    matrix : Tensor of float64, (1 or parts, features, features)
        A, positive semi-definite.
    target : Tensor of float64, (parts, outputs, features)
        T.
    mask : Tensor of bool, of T's shape
    dense : Tensor, of T's shape
        Its kept part is where to start; its outputs are the measure of the error.

    Returns
    -------
    Tensor of float64, of T's shape
        Zero where the mask is.
    """
    inverse = _inverse(matrix)
    wide = dense.double()
    enough = EXCESS * ((wide @ matrix) * wide).sum(-1, keepdim=True)
    found = wide * mask
    for dtype, steps in STEPS.items():
        residual = (target - found @ matrix) * mask
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
    return found


def _inverse(matrix: Tensor) -> Tensor:
    factor, failed = torch.linalg.cholesky_ex(matrix)
    for jitter in JITTER:
        if not failed.any():
            break
        # Too few rows and no ridge, or rounding.
        added = jitter * mean_diagonal(matrix.abs()) * identity(matrix)
        factor, failed = torch.linalg.cholesky_ex(matrix + added)
    return torch.cholesky_inverse(factor)


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


def better_mask(
    matrix: Tensor,
    target: Tensor,
    mask: Tensor,
    dense: Tensor,
    rounds: int,
    project: Callable[[Tensor], Tensor],
) -> Tensor:
    """Look for a mask under which least squares gets further.

    Parameters
    ----------
    matrix, target, mask, dense
        As for `solve_masked`.
    rounds : int
        In each the mask is solved anew.
    project : callable
        Finds the mask that keeps the most of given scores.

    Returns
    -------
    Tensor of bool
    """
    first, last = PENALTIES
    growth = (last / first) ** (1 / max(1, rounds - 1))
    penalty = first * mean_diagonal(matrix)
    held = dense.double() * mask
    dual = torch.zeros_like(held)
    for _ in range(rounds):
        right = target + penalty * (held - dual)
        free = right @ _inverse(matrix + penalty * identity(matrix)) + dual
        mask = project(free.square())
        held = free * mask
        dual = (free - held) / growth  # in units of the penalty, which grows
        penalty = penalty * growth
    return mask


def mean_diagonal(matrix: Tensor) -> Tensor:
    """Return the means of matrices' diagonals, to multiply the matrices by."""
    return matrix.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]


def identity(matrix: Tensor) -> Tensor:
    """Return the identity that goes with matrices."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
