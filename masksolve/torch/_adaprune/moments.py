"""Sums over rows that say all about a layer's squared error, whatever its new weight.

With x a row of inputs of the dense network, x' the same of the pruned one, W the dense
weight, V a new one and d what is added to the biases, the error is a quadratic form of

    G = sum x' x'^T,   C = sum x' x^T,   D = sum x x^T

and of the sums of x and x' alone:

    sum |W x - V x' - d|^2 = <W D, W> - 2 <W C^T, V> + <V G, V>
                             - 2 d . (W sum x - V sum x') + rows |d|^2
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Moments", "Objective"]


class Moments:
    """The sums, in double precision.

    Attributes
    ----------
    rows : int
    gram, cross, dense : Tensor, (parts, features, features)
        G, C and D; one and the same where both networks have the same rows.
    sum, dense_sum : Tensor, (parts, features)
        Of x' and of x.
    """

    gram: Tensor
    cross: Tensor
    dense: Tensor
    sum: Tensor
    dense_sum: Tensor

    def __init__(self) -> None:
        self.rows = 0

    def add(self, pruned: Tensor, dense: Tensor) -> None:
        """Add rows, (parts, rows, features), of both networks."""
        now = _Rows(pruned)
        new = {"gram": now.products(now), "sum": now.sum}
        if pruned is not dense:
            before = _Rows(dense)
            new |= {
                "cross": now.products(before),
                "dense": before.products(before),
                "dense_sum": before.sum,
            }
        for name, more in new.items():
            setattr(self, name, getattr(self, name).add_(more) if self.rows else more)
        if pruned is dense:
            self.cross, self.dense, self.dense_sum = self.gram, self.gram, self.sum
        self.rows += pruned.shape[1]

    @property
    def finite(self) -> bool:
        """Whether all of them are finite."""
        return bool(self.gram.isfinite().all()) and bool(self.dense.isfinite().all())


class Objective:
    """The squared error of some parts of a weight, as a function of what replaces them.

    Parameters
    ----------
    weight : Tensor, (parts, outputs, features)
        The dense W.
    moments : Moments

    Attributes
    ----------
    target : Tensor, (parts, outputs, features)
        W C^T: the sums of an output times its inputs.
    energy : Tensor, (parts,)
        The dense outputs' squares, without biases: what keeping nothing would cost.
    """

    def __init__(self, weight: Tensor, moments: Moments) -> None:
        wide = weight.double()
        self.moments = moments
        self.target = wide @ moments.cross.mT
        dense = self.target if moments.dense is moments.cross else wide @ moments.dense
        self.energy = (dense * wide).sum((1, 2))
        self._outputs = _apply(wide, moments.dense_sum)

    def error(self, new: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return the error of a new weight, and biases that are shifted, (parts,)."""
        wide = new.double()
        product = wide @ self.moments.gram
        error = self.energy + ((product - 2 * self.target) * wide).sum((1, 2))
        if shift is not None:
            error = error - 2 * (shift * self.missing(wide)).sum(1)
            error = error + self.moments.rows * shift.square().sum(1)
        return error.clamp(min=0)

    def missing(self, new: Tensor) -> Tensor:
        """Return the sum of what the outputs lack with a new weight, (parts, outputs)."""
        return self._outputs - _apply(new.double(), self.moments.sum)

    def best_shift(self, new: Tensor) -> Tensor:
        """Return the shift of the biases that suits a new weight best."""
        return self.missing(new) / self.moments.rows

    def normal_equations(self, *, centred: bool) -> tuple[Tensor, Tensor]:
        """Return per row the matrix and right sides of least squares, G and W C^T.

        Centred, the biases' best shift is part of the problem.
        """
        gram, target, rows = self.moments.gram, self.target, self.moments.rows
        if centred:
            mean = self.moments.sum / rows
            gram = gram - self.moments.sum.unsqueeze(-1) * mean.unsqueeze(-2)
            target = target - self._outputs.unsqueeze(-1) * mean.unsqueeze(-2)
        return gram / rows, target / rows

    def worth(self, new: Tensor, *, centred: bool) -> Tensor:
        """Return how much of the error each entry alone would save, at its best value."""
        matrix, target = self.normal_equations(centred=centred)
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        scale = torch.where(diagonal > 0, diagonal, 1)
        best = new + (target - new.double() @ matrix) / scale
        return best.square() * scale


class _Rows:
    """Rows, (parts, rows, features), about their means.

    Products in single precision are then as good as what varies, however large the means.
    """

    def __init__(self, rows: Tensor) -> None:
        centre = rows.mean(1, keepdim=True)
        self._apart = rows - centre
        self._centre = centre.double()
        self._rest = self._apart.sum(1, keepdim=True, dtype=torch.float64)
        self._count = rows.shape[1]

    @property
    def sum(self) -> Tensor:
        """The sum of the rows, (parts, features)."""
        return (self._count * self._centre + self._rest).squeeze(1)

    def products(self, other: _Rows) -> Tensor:
        """Return the sum of products with other rows, (parts, features, features)."""
        apart = (self._apart.mT @ other._apart).double()
        means = self._centre.mT @ (self._count * other._centre + other._rest)
        return apart + means + self._rest.mT @ other._centre


def _apply(weight: Tensor, vector: Tensor) -> Tensor:
    return (weight @ vector.unsqueeze(-1)).squeeze(-1)
