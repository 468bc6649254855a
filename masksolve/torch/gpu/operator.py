"""The exact solver as an operator of torch: compilers and exporters see through it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.solving import solve
from masksolve.torch.arrays import as_array
from masksolve.torch.gpu.solver import FLAGS, solve_on_device
from masksolve.torch.gpu.support import READ, interpreted
from masksolve.torch.gpu.tiling import Tiling

__all__ = ["exact_mask"]


@torch.library.custom_op("masksolve::exact_mask", mutates_args=())
def exact_mask(
    weights: Tensor,
    n: int,
    m: int,
    at_most: bool,
    magnitude: bool,
    start: Tensor | None = None,
    potentials: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find optimal transposable masks of matrices (batch, rows, columns), all proven.

    Parameters
    ----------
    weights : Tensor of float64, float32, bfloat16 or float16
        On a CUDA device; on the CPU its engine does the same.
    n, m : int
        ``1 <= n < m <= 64``.
    at_most, magnitude : bool
        See `masksolve.torch.gpu.solver.solve_on_device`.
    start : Tensor of float64, (tiles, m), or None
        Column potentials of an earlier solution.
    potentials : bool
        Whether to return this one's.

    Returns
    -------
    mask : Tensor of bool, of the same shape
    column_potentials : Tensor of float64, (tiles, m), or (0, m)
        To start from next time.
    verdict : Tensor of float64, (2,)
        The kept score, and the sum of the tiles' gaps.
    flags : Tensor of int32, (4,)
        All zero if every tile is proven; see `masksolve.torch.gpu.solver`.

    Raises
    ------
    InvalidInput
        If an argument is not what it should be.
    """
    _check(weights, n, m, start)
    if weights.device.type == "cpu" and not interpreted():
        return _on_cpu(weights, n, m, at_most, magnitude, potentials)
    found = solve_on_device(
        weights,
        n,
        m,
        at_most=at_most,
        magnitude=magnitude,
        start=None if start is None else start.contiguous(),
        potentials=potentials,
    )
    verdict = torch.stack([found.kept.sum(), found.gaps.sum()])
    kept = found.column_potentials
    if kept is None:
        kept = weights.new_empty((0, m), dtype=torch.float64)
    return found.mask, kept, verdict, found.flags


def _check(weights: Tensor, n: int, m: int, start: Tensor | None) -> None:
    """Refuse what kernels would read wrongly, or read beyond."""
    if weights.ndim != 3 or weights.dtype not in READ:
        raise InvalidInput(
            "weights must be (batch, rows, columns) of float64, float32, bfloat16 or float16, "
            f"got {tuple(weights.shape)} of {weights.dtype}"
        )
    if not 1 <= n < m <= 64:
        raise InvalidInput(f"expected 1 <= n < m <= 64, got n = {n} and m = {m}")
    if start is None:
        return
    batch, rows, columns = weights.shape
    shape = (Tiling(batch, rows, columns, m).tiles, m)
    if start.shape != shape or start.dtype != torch.float64 or start.device != weights.device:
        raise InvalidInput(
            f"start must be {shape} of torch.float64 on {weights.device}, "
            f"got {tuple(start.shape)} of {start.dtype} on {start.device}"
        )


def _on_cpu(
    weights: Tensor, n: int, m: int, at_most: bool, magnitude: bool, potentials: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    found = solve(
        as_array(weights),
        f"{n}:{m}{',at-most' if at_most else ''}",
        score=np.abs if magnitude else None,
        potentials=potentials,
    )
    kept = found.tiles.column_potentials
    assert found.gap is not None
    return (
        torch.from_numpy(found.mask),
        torch.from_numpy(np.empty((0, m)) if kept is None else kept.reshape(-1, m)),
        torch.tensor([found.objective, found.gap], dtype=torch.float64),
        torch.zeros(FLAGS, dtype=torch.int32),
    )


@exact_mask.register_fake
def _(
    weights: Tensor,
    n: int,
    m: int,
    at_most: bool,
    magnitude: bool,
    start: Tensor | None = None,
    potentials: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    _check(weights, n, m, start)
    batch, rows, columns = weights.shape
    tiles = Tiling(batch, rows, columns, m).tiles if potentials else 0
    return (
        weights.new_empty(weights.shape, dtype=torch.bool),
        weights.new_empty((tiles, m), dtype=torch.float64),
        weights.new_empty(2, dtype=torch.float64),
        weights.new_empty(FLAGS, dtype=torch.int32),
    )
