"""A tensor as a stack of matrices cut into tiles, as the kernels count them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

__all__ = ["Tiling", "as_matrices"]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Matrices (batch, rows, columns) in tiles of side m, TR x TC tiles to a matrix.

    Tile (r, c) of matrix b has number (b TR + r) TC + c.

    Attributes
    ----------
    batch, rows, columns, m : int
    """

    batch: int
    rows: int
    columns: int
    m: int

    @property
    def tile_rows(self) -> int:
        """TR: rows of tiles, the partial ones at the edge included."""
        return -(-self.rows // self.m)

    @property
    def tile_columns(self) -> int:
        """TC: columns of tiles, likewise."""
        return -(-self.columns // self.m)

    @property
    def tiles(self) -> int:
        """How many tiles there are in all."""
        return self.batch * self.tile_rows * self.tile_columns

    @property
    def entries(self) -> int:
        """How many entries the matrices have."""
        return self.batch * self.rows * self.columns


def as_matrices(tensor: Tensor, axes: tuple[int, int]) -> Tensor:
    """View a tensor as (batch, rows, columns), or copy it if no view is like that.

    Parameters
    ----------
    tensor : Tensor, at least 2-D
    axes : tuple of int
        Of its rows and columns; the others are the batch, in their order.

    Examples
    --------
    >>> import torch
    >>> as_matrices(torch.zeros(6, 4, 3, 3), (0, 1)).shape
    torch.Size([9, 6, 4])
    """
    others = [k for k in range(tensor.ndim) if k not in axes]
    turned = tensor.permute(*others, *axes)
    return turned.reshape(prod(turned.shape[:-2]), *turned.shape[-2:])
