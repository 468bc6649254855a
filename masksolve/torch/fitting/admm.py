r"""Masks, and weights that go with them, by the alternating direction method of multipliers.

In the units of `System` it goes for

    min <U A, U> / 2 - <T, U>  subject to U = Z, Z has a mask of the pattern.

U's step solves linear equations, all penalties by one eigendecomposition. Z's step is a projection,
onto the mask that keeps the largest sum of squares: what an exact solver of masks finds. (Meng et
al. 2024, arXiv:2406.07831, do so for unstructured and plain N:M masks.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from masksolve.torch.fitting.system import Damped

__all__ = ["alternate"]

PENALTIES = 0.2, 1.0
"""The first and the last, in units of an input's mean square and its damping."""


def alternate(
    equations: Damped, mask: Tensor, rounds: int, project: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Look for a mask under which least squares gets further.

    Parameters
    ----------
    equations : Damped
    mask : Tensor of bool, (parts, outputs, features)
        To begin with.
    rounds : int
        In each the mask is solved anew.
    project : callable
        Finds the mask that keeps the most of given scores.

    Returns
    -------
    weights : Tensor, (parts, outputs, features)
        In the units of u, zero where the mask is: near the best, to start from.
    mask : Tensor of bool
    """
    first, last = PENALTIES
    growth = (last / first) ** (1 / max(1, rounds - 1))
    penalty = first * (1 + equations.damping)
    held = equations.system.dense * mask
    dual = torch.zeros_like(held)
    for _ in range(rounds):
        right = torch.add(equations.target, held - dual, alpha=penalty)
        free = equations.solve(right, penalty) + dual
        mask = project(free.square())
        held = free * mask
        dual = (free - held) / growth  # in units of the penalty, which grows
        penalty *= growth
    return held, mask
