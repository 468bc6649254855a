"""Exact transposable masks of matrices where they are: rounds, paths, certificate.

Tiles are solved in chunks, so that what is kept of each, its potentials above all, takes
bounded space. Nothing here waits for the device: how many tiles the rounds leave, and
whether all went well, stays there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from masksolve.torch.gpu.certificate import certify
from masksolve.torch.gpu.finish import finish
from masksolve.torch.gpu.launching import Chunk
from masksolve.torch.gpu.rounds import run_rounds
from masksolve.torch.gpu.tiling import Tiling

__all__ = ["DeviceSolution", "solve_on_device"]

WORKSPACE = 1 << 26
"""Bytes for the potentials of a chunk."""
FLAGS = 4


@dataclass(frozen=True, eq=False)
class DeviceSolution:
    """Masks, and what proves them, all on the device.

    Attributes
    ----------
    mask : Tensor of bool, (batch, rows, columns)
    kept, gaps : Tensor of float64, (tiles,)
        What each tile's mask keeps, and how far its proven bound is above that.
    flags : Tensor of int32, (4,)
        Whether a score was not finite (or too large); how many tiles are not proven.
    column_potentials : Tensor of float64, (tiles, m), or None
        To start from next time; the rows' follow from them.
    """

    mask: Tensor
    kept: Tensor
    gaps: Tensor
    flags: Tensor
    column_potentials: Tensor | None


def solve_on_device(
    weights: Tensor,
    n: int,
    m: int,
    *,
    at_most: bool = False,
    magnitude: bool = True,
    start: Tensor | None = None,
    potentials: bool = False,
) -> DeviceSolution:
    """Find optimal masks of matrices, and prove every tile, without leaving the device.

    Parameters
    ----------
    weights : Tensor of float64, float32, bfloat16 or float16, (batch, rows, columns)
        Of any strides; never modified.
    n, m : int
        ``1 <= n < m <= 64``.
    at_most : bool
        Whether lines may hold fewer than n. Those of partial tiles always may.
    magnitude : bool
        Whether the scores are the entries' magnitudes, or else the entries.
    start : Tensor of float64, (tiles, m), optional
        Column potentials of an earlier solution. The proof does not rest on them.
    potentials : bool
        Keep the columns' of this one.

    Returns
    -------
    DeviceSolution
        Whose flags are to be looked at: a mask is proven if all are zero. Where a score
        is not finite the tile's mask means nothing.
    """
    batch, height, width = weights.shape
    tiling = Tiling(batch, height, width, m)
    here = {"device": weights.device}
    mask = torch.zeros(weights.shape, dtype=torch.bool, **here)
    kept = torch.empty(tiling.tiles, dtype=torch.float64, **here)
    gaps = torch.empty_like(kept)
    flags = torch.zeros(FLAGS, dtype=torch.int32, **here)
    step = min(tiling.tiles, WORKSPACE // (16 * m))
    u = torch.empty((step, m), dtype=torch.float64, **here)
    v = torch.empty((tiling.tiles if potentials else step, m), dtype=torch.float64, **here)
    queue = torch.empty(step, dtype=torch.int32, **here)
    queue_length = torch.empty(1, dtype=torch.int32, **here)
    for first in range(0, tiling.tiles, step or 1):
        part = slice(first, min(first + step, tiling.tiles))
        count = part.stop - first
        columns = v[part] if potentials else v[:count]
        chunk = Chunk(
            weights, mask, tiling, n, at_most, magnitude, first, count, u[:count], columns, flags
        )
        queue_length.zero_()
        run_rounds(chunk, queue, queue_length, None if start is None else start[part])
        finish(chunk, queue[:count], queue_length)
        certify(chunk, kept[part], gaps[part])
    return DeviceSolution(mask, kept, gaps, flags, v if potentials else None)
