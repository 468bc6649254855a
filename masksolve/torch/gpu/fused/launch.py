"""How the methods that are one kernel each are launched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from masksolve.torch.gpu.launching import on_device

__all__ = ["launch"]

ENTRIES, TILES = 2048, 32
"""Most of a program that holds several tiles: 64 entries and one tile to each thread of a
warp. Larger tiles get more warps."""


def launch(kernel: Any, scores: Tensor, n: int, *arguments: object) -> Tensor:
    """Solve tiles (tiles, h, w), which lie one after the other, by a kernel.

    Parameters
    ----------
    kernel : triton.JITFunction
        Takes the scores, the mask to write, the number of tiles, n, the arguments, and the
        shapes of tiles and blocks.
    scores : Tensor of float32 or float64, (tiles, h, w)
        Contiguous.
    n : int
    *arguments

    Returns
    -------
    Tensor of bool, (tiles, h, w)
    """
    tiles, h, w = scores.shape
    mask = torch.empty_like(scores, dtype=torch.bool)
    high, wide = _power_of_two(h), _power_of_two(w)
    together = max(1, min(TILES, ENTRIES // (high * wide)))
    warps = max(1, together * high * wide // ENTRIES)
    if tiles:
        with on_device(scores):
            kernel[(-(-tiles // together),)](
                scores,
                mask,
                tiles,
                n,
                *arguments,
                h,
                w,
                high,
                wide,
                together,
                num_warps=warps,
                enable_fp_fusion=False,
            )
    return mask


def _power_of_two(k: int) -> int:
    return 1 << (k - 1).bit_length()
