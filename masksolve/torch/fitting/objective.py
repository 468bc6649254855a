"""The squared error of a layer, as a function of what replaces its weight.

With d what is added to the biases, y what the layer should give without its dense biases,

    sum |y - V x' - d|^2 = sum |y|^2 - 2 <T, V> + <V G, V> - 2 d . (sum y - V sum x') + rows |d|^2

in the sums of `Moments`.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from masksolve.torch.fitting.moments import Moments

__all__ = ["Objective"]


class Objective:
    """The squared error of some parts of a weight.

    Parameters
    ----------
    weight : Tensor, (parts, outputs, features)
        The dense W.
    moments : Moments
    bias : Tensor, (parts, outputs), optional
        The dense biases, which wanted outputs include.
    dtype : torch.float64 or torch.float32
        Of products of matrices; what comes of them is summed up in double precision always.

    Attributes
    ----------
    target : Tensor, (parts, outputs, features)
        T: the sums of an output times its inputs.
    squares : Tensor, (parts, outputs)
        Of the outputs without biases: what keeping nothing would cost.
    """

    def __init__(
        self,
        weight: Tensor,
        moments: Moments,
        bias: Tensor | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.moments = moments
        self._gram = moments.gram.to(dtype)
        if moments.given:
            self.target, self._outputs = moments.target.to(dtype), moments.wanted_sum
            squares = moments.wanted_squares
            if bias is not None:
                wide = bias.to(self._outputs.dtype)
                squares = squares - 2 * wide * self._outputs + moments.rows * wide.square()
                taken = wide.unsqueeze(-1) * moments.sum.unsqueeze(-2)
                self.target = (moments.target - taken).to(dtype)
                self._outputs = self._outputs - moments.rows * wide
            self.squares = squares
            return
        wide = weight.to(dtype)
        same = moments.dense is moments.cross
        self.target = wide @ (self._gram if same else moments.cross.mT.to(dtype))
        dense = self.target if same else wide @ moments.dense.to(dtype)
        self.squares = (dense * wide).sum(2, dtype=torch.float64)
        self._outputs = _apply(wide, moments.dense_sum)

    @property
    def energy(self) -> Tensor:
        """The squares of all outputs, (parts,)."""
        return self.squares.sum(1)

    def of(self, outputs: Tensor) -> Objective:
        """Return that of some outputs, by their numbers."""
        some = copy(self)
        some.target, some.squares = self.target[:, outputs], self.squares[:, outputs]
        some._outputs = self._outputs[:, outputs]
        return some

    def error(self, new: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return the error of a new weight, and biases that are shifted, (parts,)."""
        wide = new.to(self.target.dtype)
        left = wide @ self._gram
        error = self.energy + ((left - 2 * self.target) * wide).sum((1, 2), dtype=torch.float64)
        if shift is not None:
            error = error - 2 * (shift * self.missing(wide)).sum(1)
            error = error + self.moments.rows * shift.square().sum(1)
        return error.clamp(min=0)

    def missing(self, new: Tensor) -> Tensor:
        """Return the sum of what the outputs lack with a new weight, (parts, outputs)."""
        return self._outputs - _apply(new, self.moments.sum)

    def best_shift(self, new: Tensor) -> Tensor:
        """Return the shift of the biases that suits a new weight best."""
        return self.missing(new) / self.moments.rows

    def normal_equations(self, *, centred: bool) -> tuple[Tensor, Tensor]:
        """Return per row the matrix and right sides of least squares, G and T.

        Centred, the biases' best shift is part of the problem.
        """
        gram, target, rows = self.moments.gram, self.target, self.moments.rows
        if centred:
            mean = self.moments.sum / rows
            gram = gram - (self.moments.sum.unsqueeze(-1) * mean.unsqueeze(-2)).to(gram.dtype)
            target = target - self._outputs.unsqueeze(-1) * mean.unsqueeze(-2)
        return gram / rows, target / rows

    def worth(self, new: Tensor, *, centred: bool) -> Tensor:
        """Return how much of the error each entry alone would save, at its best value."""
        matrix, target = self.normal_equations(centred=centred)
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
        scale = torch.where(diagonal > 0, diagonal, 1)
        best = new + (target - new.double() @ matrix) / scale
        return best.square() * scale


def _apply(weight: Tensor, vector: Tensor) -> Tensor:
    return (weight.to(vector.dtype) @ vector.unsqueeze(-1)).squeeze(-1)
