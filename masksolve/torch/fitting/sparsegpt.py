r"""SparseGPT: columns pruned one after the other, what they lose made up for by those to come.

(Frantar and Alistarh 2023, arXiv:2301.00774.) With U the upper Cholesky factor of A^-1, pruning
u_j costs u_j^2 / U_jj^2 and changes the columns k > j by -u_j U_jk / U_jj. The mask of M columns is
solved when they are reached, by these costs: of plain patterns and transposable ones alike, for
which a tile's columns are all there is to know of it.

It starts from the best dense u = T A^-1: from there the error is what A measures, also where the
outputs that are wanted are not the dense weights'.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from masksolve.torch.fitting.system import Damped

__all__ = ["sweep"]

COLUMNS = 128
"""Made up for at once in those that come later: products instead of many updates."""
JITTER = 1e-6
"""Of A's diagonal: more than single precision may have lost."""


def sweep(
    equations: Damped, columns: int, project: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Prune columns from the first to the last.

    Parameters
    ----------
    equations : Damped
    columns : int
        M: so many have their mask together.
    project : callable
        Finds the mask that keeps the most of given scores.

    Returns
    -------
    weights : Tensor, (parts, outputs, features)
        In the units of u, zero where the mask is.
    mask : Tensor of bool
    """
    factor = _factor(equations.matrix)
    left = (equations.target @ factor.mT) @ factor
    mask = torch.zeros_like(left, dtype=torch.bool)
    features, width = left.shape[-1], columns * max(1, COLUMNS // columns)
    for first in range(0, features, width):
        here = slice(first, min(first + width, features))
        block = _Block(left[..., here], factor[..., here, here])
        for start in range(0, block.width, columns):
            block.prune(slice(start, min(start + columns, block.width)), project)
        left[..., here], mask[..., here] = block.weights, block.mask
        rest = factor[..., here, here.stop :]
        left[..., here.stop :] -= block.lost @ rest
    return left, mask


def _factor(matrix: Tensor) -> Tensor:
    """Return the upper triangular U of A^-1 = U^T U, (parts, features, features).

    It is the inverse of the R of A = R R^T, which is Cholesky's factor from the last column on.
    """
    wide = matrix.double()
    wide.diagonal(dim1=-2, dim2=-1).mul_(1 + JITTER)
    upper = torch.linalg.cholesky(wide.flip(-1, -2)).flip(-1, -2)
    one = torch.eye(wide.shape[-1], dtype=wide.dtype, device=wide.device)
    return torch.linalg.solve_triangular(upper, one, upper=True).to(matrix.dtype)


class _Block:
    """Some columns, made up for one after the other.

    Attributes
    ----------
    weights : Tensor, (parts, outputs, width)
    mask : Tensor of bool
    lost : Tensor, (parts, outputs, width)
        What was pruned, in units of the factor's diagonal.
    """

    def __init__(self, weights: Tensor, factor: Tensor) -> None:
        # Column after column is read and written: they are laid out as rows.
        self._columns = weights.movedim(-1, 0).contiguous()
        self._lost = torch.zeros_like(self._columns)
        self._kept = torch.zeros_like(self._columns, dtype=torch.bool)
        self._factor = factor
        self._diagonal = factor.diagonal(dim1=-2, dim2=-1)
        self.width = factor.shape[-1]

    @property
    def weights(self) -> Tensor:
        return self._columns.movedim(0, -1)

    @property
    def mask(self) -> Tensor:
        return self._kept.movedim(0, -1)

    @property
    def lost(self) -> Tensor:
        return self._lost.movedim(0, -1)

    def prune(self, here: slice, project: Callable[[Tensor], Tensor]) -> None:
        """Solve the mask of some columns, and prune them."""
        costs = (self.weights[..., here] / self._diagonal[:, None, here]).square()
        self._kept[here] = project(costs).movedim(-1, 0)
        for column in range(here.start, here.stop):
            values, kept = self._columns[column], self._kept[column]
            # (parts, outputs), and one number of each part.
            lost = torch.where(kept, 0, values) / self._diagonal[:, column, None]
            self._lost[column] = lost
            self._columns[column] = torch.where(kept, values, 0)
            later = self._factor[:, column, column + 1 :].mT[..., None]
            self._columns[column + 1 :] -= later * lost
