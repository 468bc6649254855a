"""All patterns by one matrix product: Hu et al. 2024, arXiv:2404.01847.

There are 90 masks for a 2:4 tile. The scores of all of them, for every tile, are one
product of the tiles (t, 16) with the masks (16, 90); the largest wins. The paper does it
on a GPU, as a convolution and later in a Triton kernel of its toolkit
(github.com/huyz2023/2by4-pretrain), which wants sides that are multiples of 32 and 64.

On a CPU it is torch's product and `max`. In blocks, so that the scores are still in the
cache when they are compared: that is more than twice as fast as one large product, and
needs a few MiB. It would do for any pattern whose masks can be listed, up to m = 4.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant

__all__ = ["pattern_product"]

TILES_AT_ONCE = 8192


def _can_be_listed(n: int, m: int) -> bool:
    return m <= 4


@contestant(
    name="pattern product",
    reference="Hu et al. 2024, arXiv:2404.01847: all 90 masks of 2:4 by a product, argmax",
    exact=True,
    needs=("torch",),
    quirks="to rounding in float32; torch on the CPU in place of their Triton kernel; m <= 4, "
    "the paper has 2:4 only",
    fits=_can_be_listed,
)
def pattern_product(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Take the mask of the largest score of all."""
    import torch

    tiles, m, _ = scores.shape
    masks = torch.from_numpy(_patterns(n, m))
    weights = masks.float().t()
    found = np.empty((tiles, m * m), dtype=np.bool_)
    with torch.inference_mode():
        flat = torch.from_numpy(scores.reshape(tiles, m * m))
        for first in range(0, tiles, TILES_AT_ONCE):
            part = slice(first, first + TILES_AT_ONCE)
            best = (flat[part] @ weights).max(dim=1).indices
            torch.index_select(masks, 0, best, out=torch.from_numpy(found[part]))
    return found.reshape(scores.shape)


@cache
def _patterns(n: int, m: int) -> NDArray[np.bool_]:
    """List every valid mask, flat."""
    rows = [row for row in product((False, True), repeat=m) if sum(row) == n]
    tiles = [
        tile for tile in product(rows, repeat=m) if {*map(sum, zip(*tile, strict=True))} == {n}
    ]
    return np.array(tiles).reshape(-1, m * m)
