"""Walks over the entries of many tiles in step, in torch: what three rivals share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TILES_AT_ONCE", "walk"]

TILES_AT_ONCE = 2048
"""Enough to drown the cost of a call to torch, few enough to stay in the caches."""


def walk(keys: NDArray[np.float32], quota: int, *, both: bool) -> NDArray[np.bool_]:
    """Visit the entries of each tile by rising key; take one while its lines have quota left.

    ``both``: its row and its column must have some left; otherwise one of them is enough.
    The keys (t, m, m) are sorted by NumPy, whose sort of rows is several times faster than
    torch's on few cores. Each step reads and writes two counters of each tile.
    """
    import torch

    tiles, m, _ = keys.shape
    taken = np.empty((tiles, m * m), dtype=np.bool_)
    left_on_lines = torch.minimum if both else torch.maximum
    with torch.inference_mode():
        for first in range(0, tiles, TILES_AT_ONCE):
            part = slice(first, first + TILES_AT_ONCE)
            order = torch.from_numpy(np.argsort(keys[part].reshape(-1, m * m), axis=1))
            entries = order.t().contiguous()
            start = m * torch.arange(len(order))
            row = entries // m
            column = entries - m * row + start
            row += start
            rows = torch.full((len(order) * m,), quota, dtype=torch.int32)
            columns = rows.clone()
            takes = torch.empty(entries.shape, dtype=torch.bool)
            for i, j, take in zip(row, column, takes, strict=True):
                in_row, in_column = rows.index_select(0, i), columns.index_select(0, j)
                torch.gt(left_on_lines(in_row, in_column), 0, out=take)
                rows.index_copy_(0, i, in_row - take.int())
                columns.index_copy_(0, j, in_column - take.int())
            torch.from_numpy(taken[part]).scatter_(1, order, takes.t())
    return taken.reshape(keys.shape)
