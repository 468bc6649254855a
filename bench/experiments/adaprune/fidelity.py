"""How alike two encoders' embeddings of the same sentences are."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["NEAREST", "Fidelity", "fidelity"]

NEAREST = 10
LOWEST = 0.05


class Fidelity(TypedDict):
    """Figures that are 1 for embeddings that agree; see `Run`."""

    cosine: float
    lowest: float
    spearman: float
    nearest: float


def fidelity(dense: torch.Tensor, pruned: torch.Tensor) -> Fidelity:
    """Compare embeddings of length 1, a row a sentence.

    Every sentence in turn is a query, for which all others are ranked by cosine.
    """
    cosines = (dense * pruned).sum(1).double()
    before, after = _to_others(dense), _to_others(pruned)
    ranks = [rankdata(similarities, axis=1) for similarities in (before, after)]
    many = min(NEAREST, before.shape[1])
    first, second = (
        np.argsort(-similarities, axis=1, kind="stable")[:, :many]
        for similarities in (before, after)
    )
    common = (first[:, :, None] == second[:, None, :]).any(2)
    return {
        "cosine": float(cosines.mean()),
        "lowest": float(cosines.quantile(LOWEST)),
        "spearman": float(_correlations(*ranks).mean()),
        "nearest": float(common.mean()),
    }


def _to_others(embeddings: torch.Tensor) -> NDArray[Any]:
    """Return cosines of every row with all others, in the same order for all encoders."""
    cosines = (embeddings @ embeddings.T).double().numpy()
    count = len(cosines)
    found: NDArray[Any] = cosines[~np.eye(count, dtype=bool)].reshape(count, count - 1)
    return found


def _correlations(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return the correlation of every row with the other's."""
    a, b = (x - x.mean(1, keepdims=True) for x in (first, second))
    found: NDArray[Any] = (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return found
