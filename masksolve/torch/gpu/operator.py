"""The exact solver as an operator of torch: compilers and exporters see through it."""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.torch.gpu.solver import FLAGS, solve_on_device
from masksolve.torch.gpu.tiling import Tiling

__all__ = ["exact_mask"]


@torch.library.custom_op("masksolve::exact_mask", mutates_args=())
def exact_mask(
    weights: Tensor, n: int, m: int, at_most: bool, magnitude: bool, start: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find optimal transposable masks of matrices (batch, rows, columns), all proven.

    Returns
    -------
    mask : Tensor of bool, of the same shape
    column_potentials : Tensor of float64, (tiles, m)
        To start from next time.
    verdict : Tensor of float64, (2,)
        The kept score, and the sum of the tiles' gaps.
    flags : Tensor of int32, (4,)
        All zero if every tile is proven; see `masksolve.torch.gpu.solver`.
    """
    found = solve_on_device(
        weights, n, m, at_most=at_most, magnitude=magnitude, start=start, potentials=True
    )
    assert found.column_potentials is not None
    verdict = torch.stack([found.kept.sum(), found.gaps.sum()])
    return found.mask, found.column_potentials, verdict, found.flags


@exact_mask.register_fake
def _(
    weights: Tensor, n: int, m: int, at_most: bool, magnitude: bool, start: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    batch, rows, columns = weights.shape
    tiles = Tiling(batch, rows, columns, m).tiles
    return (
        weights.new_empty(weights.shape, dtype=torch.bool),
        weights.new_empty((tiles, m), dtype=torch.float64),
        weights.new_empty(2, dtype=torch.float64),
        weights.new_empty(FLAGS, dtype=torch.int32),
    )
