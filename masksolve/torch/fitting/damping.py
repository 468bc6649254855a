"""How much to damp: what does best on held-out rows, for some of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["DAMPINGS", "ROUNDS", "UNKNOWN", "best_of", "sample_of"]

DAMPINGS = (0.01, 0.03, 0.1, 0.3, 1.0)
UNKNOWN = 0.1
"""Where nothing is held out: safe rather than best."""
OUTPUTS = 64
"""Are enough to tell, of each group of weights."""
ROUNDS = 4
"""So are so many of ADMM."""


def sample_of(outputs: Sequence[int], m: int) -> list[Tensor]:
    """Choose outputs of each weight, in whole tiles of M, evenly spread.

    Returns
    -------
    list of Tensor
        The numbers of the outputs, of each weight.
    """
    chosen = []
    for count in outputs:
        tiles = torch.arange(count).split(m)
        wanted = max(1, round(OUTPUTS * count / sum(outputs) / m))
        at = torch.linspace(0, len(tiles) - 1, min(wanted, len(tiles))).round().int().tolist()
        chosen.append(torch.cat([tiles[k] for k in at]))
    return chosen


def best_of(dampings: Sequence[float], first: float, error: Callable[[float], float]) -> float:
    """Return the damping of the least error: up from the first, or else down, while it falls."""
    at = dampings.index(first)
    best, least = first, error(first)
    for others in (dampings[at + 1 :], dampings[:at][::-1]):
        for damping in others:
            now = error(damping)
            if now >= least:
                break
            best, least = damping, now
        if best != first:
            break
    return best
