"""The weights that every tool gets: 2:4, transposable, of one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import masksolve as ms

__all__ = ["PATTERN", "Pruned"]

PATTERN = "2:4"
SCALE = 0.02


@dataclass(frozen=True)
class Pruned:
    """Weights before and after pruning.

    Attributes
    ----------
    dense, weight : Tensor of float32, (outputs, inputs)
    mask : Tensor of bool
        True = kept.
    seed : int
    """

    dense: Tensor
    weight: Tensor
    mask: Tensor
    seed: int

    @classmethod
    def draw(cls, rows: int, columns: int, seed: int) -> Pruned:
        """Draw normal weights, and prune them by magnitude."""
        drawn = SCALE * np.random.default_rng(seed).standard_normal((rows, columns))
        dense = torch.from_numpy(drawn.astype(np.float32))
        mask = torch.from_numpy(ms.solve(dense.numpy(), PATTERN, threads=1).mask)
        return cls(dense, dense * mask, mask, seed)

    def random(self) -> torch.Generator:
        """Return random numbers for a conversion, the same for a seed."""
        return torch.Generator().manual_seed(self.seed)

    def linear(self) -> nn.Linear:
        """Return a layer that holds a copy of the pruned weights."""
        rows, columns = self.weight.shape
        layer = nn.Linear(columns, rows, bias=False)
        layer.weight.data.copy_(self.weight)
        return layer

    def inputs(self, count: int) -> Tensor:
        """Draw correlated inputs, (count, inputs), as layers see them."""
        random, columns = self.random(), self.weight.shape[1]
        mix = torch.randn(columns, columns, generator=random) / columns**0.5
        return torch.randn(count, columns, generator=random) @ (mix + torch.eye(columns))
