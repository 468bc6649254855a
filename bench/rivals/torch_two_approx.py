"""The 2-approximation, vectorised over tiles in torch: one step for each entry of a tile.

After Hubara et al. 2021 (arXiv:2102.08124): sort the entries of every tile, then walk
all tiles in step from light to heavy, pruning while a row or column lacks prunes.
"""

from __future__ import annotations

import torch

__all__ = ["two_approx"]


def two_approx(scores: torch.Tensor, n: int) -> torch.Tensor:
    """Return masks (t, m, m) of bool for scores (t, m, m)."""
    tiles, m, _ = scores.shape
    order = scores.reshape(tiles, -1).argsort(dim=1)
    mask = torch.ones(tiles, m * m, dtype=torch.bool)
    rows = torch.full((tiles, m), m - n)
    columns = torch.full((tiles, m), m - n)
    every = torch.arange(tiles)
    for k in range(m * m):
        entry = order[:, k]
        i, j = entry // m, entry % m
        prune = (rows[every, i] > 0) | (columns[every, j] > 0)
        mask[every, entry] = ~prune
        rows[every, i] -= prune.long()
        columns[every, j] -= prune.long()
    return mask.reshape(tiles, m, m)
