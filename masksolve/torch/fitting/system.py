r"""Damped normal equations of a layer, in units where every input has about the same mean square.

With A = G / rows, the damped problem of each output is

    min v A v - 2 t v + lambda sum_j s_j^2 (v_j - w_j)^2,  s_j^2 = A_jj + a hundredth of their mean

whose last term pulls towards the dense weights w, by the same share of each input's mean square:
where there is little to go by they stay; the hundredth keeps inputs that hardly vary from taking
large weights. In u_j = v_j s_j the matrix is B + lambda I, with nearly ones on B's diagonal: so
single precision does, one penalty suits all inputs, and the eigenvectors of B serve every damping
and every penalty.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property

import torch
from torch import Tensor

from masksolve.torch.fitting.objective import Objective

__all__ = ["Damped", "System"]

SHARE = 1e-2
"""Of the mean square of all inputs, that each counts for at least."""
ROUNDING = 1e-6
"""Of inputs' squares: what single precision says beyond is noise."""
FEW_ULPS = 2
"""Of the largest eigenvalue: what is below is rounding."""


class System:
    """The normal equations of weights that share their inputs, before they are damped.

    Parameters
    ----------
    objective : Objective
    weight : Tensor, (parts, outputs, features)
        The dense one.
    centred : bool
        Whether biases are fitted as well.
    dtype : torch.float32 or torch.float64
        Of all that follows.

    Attributes
    ----------
    scale : Tensor, (parts, 1, features)
        s: u is v times it.
    matrix : Tensor, (parts, features, features)
        B.
    target, dense : Tensor, (parts, outputs, features)
        Right sides, and the dense weights, in the units of u.
    """

    def __init__(
        self, objective: Objective, weight: Tensor, *, centred: bool, dtype: torch.dtype
    ) -> None:
        matrix, target = objective.normal_equations(centred=centred)
        squares = objective.moments.gram.diagonal(dim1=-2, dim2=-1) / objective.moments.rows
        # Damped by so much in any case.
        floor = (ROUNDING * squares.mean(-1)).clamp(min=torch.finfo(torch.float32).tiny)
        floor = floor.to(matrix.dtype)[:, None, None]
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).clamp(min=0).unsqueeze(-2)
        scale = (diagonal + SHARE * diagonal.mean(-1, keepdim=True) + floor).sqrt()
        self.scale = scale.to(dtype)
        self.dense = weight.to(dtype) * self.scale
        self.matrix = (matrix / scale / scale.mT).to(dtype)
        self.matrix.diagonal(dim1=-2, dim2=-1).add_((floor / scale.square()).squeeze(-2))
        self.target = ((target + floor * weight) / scale).to(dtype)

    @cached_property
    def eigen(self) -> tuple[Tensor, Tensor]:
        """B's eigenvalues, (parts, 1, features), and eigenvectors, in columns."""
        values, vectors = torch.linalg.eigh(self.matrix)
        least = FEW_ULPS * torch.finfo(values.dtype).eps * values.amax(-1, keepdim=True)
        return values.maximum(least).unsqueeze(-2), vectors

    def of(self, outputs: Tensor) -> System:
        """Return the equations of some outputs, by their numbers."""
        some = copy(self)
        some.target, some.dense = self.target[:, outputs], self.dense[:, outputs]
        return some

    def damped(self, damping: float) -> Damped:
        """Return the equations with a damping."""
        return Damped(self, damping)


class Damped:
    """Damped normal equations.

    Parameters
    ----------
    system : System
    damping : float
        lambda.

    Attributes
    ----------
    matrix : Tensor, (parts, features, features)
        B + lambda I.
    target : Tensor, (parts, outputs, features)
    """

    def __init__(self, system: System, damping: float) -> None:
        self.system = system
        self.damping = damping
        self.matrix = system.matrix.clone()
        self.matrix.diagonal(dim1=-2, dim2=-1).add_(damping)
        self.target = torch.add(system.target, system.dense, alpha=damping)

    def solve(self, right: Tensor, penalty: float) -> Tensor:
        """Return the u of u (B + (lambda + penalty) I) = right."""
        values, vectors = self.system.eigen
        if right.shape[-2] > right.shape[-1]:  # one product of all outputs instead of two
            return right @ ((vectors / (values + (self.damping + penalty))) @ vectors.mT)
        return ((right @ vectors) / (values + (self.damping + penalty))) @ vectors.mT

    @cached_property
    def inverse(self) -> Tensor:
        """The inverse of the matrix."""
        values, vectors = self.system.eigen
        return (vectors / (values + self.damping)) @ vectors.mT
