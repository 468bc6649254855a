"""What kernels are launched on: a chunk of tiles, where its tensors are."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from masksolve.torch.gpu.tiling import Tiling

__all__ = ["SIZES", "STRIDES", "Chunk", "on_device"]

STRIDES = ["w_batch", "w_row", "w_column", "mask_batch", "mask_row", "mask_column"]
SIZES = ["rows", "columns", "tile_rows", "tile_columns", "first", "count"]
"""Arguments that kernels are not compiled anew for: the problem's sizes, and some its strides."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Tiles [first, first + count) of matrices: what each kernel reads or writes of them.

    Attributes
    ----------
    weights : Tensor of float64, float32, bfloat16 or float16, (batch, rows, columns)
        Of any strides.
    mask : Tensor of bool, of the same shape
    tiling : Tiling
    n : int
        1 <= n < m <= 64.
    at_most : bool
        Whether lines may hold fewer than n; those of partial tiles always may.
    magnitude : bool
        Whether scores are the weights' magnitudes, or the weights.
    first, count : int
    row_potentials, column_potentials : Tensor of float64, (count, m)
    flags : Tensor of int32, at least (2,)
        [0] becomes 1 if a score is not finite, or beyond 2**960, [1] is raised by tiles that
        went wrong, as each kernel says.
    """

    weights: Tensor
    mask: Tensor
    tiling: Tiling
    n: int
    at_most: bool
    magnitude: bool
    first: int
    count: int
    row_potentials: Tensor
    column_potentials: Tensor
    flags: Tensor

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What every kernel takes first: W, mask, strides, `SIZES`, U, V and flags."""
        tiling = self.tiling
        sizes = (tiling.rows, tiling.columns, tiling.tile_rows, tiling.tile_columns)
        return (
            self.weights,
            self.mask,
            *self.weights.stride(),
            *self.mask.stride(),
            *sizes,
            self.first,
            self.count,
            self.row_potentials,
            self.column_potentials,
            self.flags,
        )

    @property
    def constants(self) -> dict[str, int]:
        """What every kernel is compiled for."""
        return {
            "n": self.n,
            "m": self.tiling.m,
            "AT_MOST": self.at_most,
            "MAGNITUDE": self.magnitude,
        }


def on_device(tensor: Tensor) -> AbstractContextManager[object]:
    """Make a tensor's device the current one; the stream is that device's current one."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
