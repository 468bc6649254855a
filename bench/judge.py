"""Masks from anywhere, against the proven optimum of every tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import masksolve as ms

from .pages.findings import significant
from .results import QUANTILES
from .tiling import to_tiles

__all__ = ["NEAR", "Judge"]

NEAR = 1e-6
"""A loss up to this is float32's rounding of sums, and counts as none."""


class Judge:
    """Scores, and the optimum of each of their tiles.

    The optimum is `masksolve.solve`'s, its proof done again in plain NumPy by code that
    shares nothing with any solver; `proven` tells whether that held for every tile.

    Parameters
    ----------
    scores : ndarray of float32, shape (rows, columns), >= 0
    pattern : Pattern
        Transposable, exactly n.
    """

    def __init__(self, scores: NDArray[np.float32], pattern: ms.Pattern) -> None:
        best = ms.solve(scores, pattern, potentials=True)
        verdict = ms.certify(scores, best.mask, pattern, warm_start=best, plain=True)
        self.proven = verdict.status is ms.Status.OPTIMAL
        self.pattern = pattern
        self.scores = to_tiles(scores, pattern.m).astype(np.float64)
        self.optimum = self._kept(to_tiles(best.mask, pattern.m))

    def _kept(self, tiles: NDArray[np.bool_]) -> NDArray[np.float64]:
        kept: NDArray[np.float64] = np.where(tiles, self.scores, 0.0).sum(axis=(1, 2))
        return kept

    def quality(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Judge a mask of the first tile rows; return the fields of `Quality`.

        A mask with short lines obeys fewer conditions and may score above the optimum: its
        loss is then negative.
        """
        tiles = to_tiles(mask, self.pattern.m)
        count, n = len(tiles), self.pattern.n
        scores, optimum = self.scores[:count], self.optimum[:count]
        kept = np.where(tiles, scores, 0.0).sum(axis=(1, 2))
        whole = scores.sum(axis=(1, 2))
        loss = 1 - _ratio(kept, optimum)
        loss[np.abs(loss) <= NEAR] = 0.0
        rows, columns = tiles.sum(axis=2), tiles.sum(axis=1)
        lines = np.concatenate([rows, columns], axis=1)
        return {
            "tiles": count,
            "proven": self.proven,
            "optimum": float(optimum.sum()),
            "kept": float(kept.sum()),
            "loss_mean": float(loss.mean()),
            "loss_worst": float(loss.max()),
            "loss_quantiles": [significant(q, 4) for q in np.quantile(loss, QUANTILES)],
            "at_optimum": float((loss == 0).mean()),
            "kept_ratio_worst": float(_ratio(kept, optimum).min()),
            "pruned_ratio_worst": float(_ratio(whole - kept, whole - optimum).max()),
            "short_lines": float((lines < n).mean()),
            "rows_valid": bool((rows <= n).all()),
            "columns_valid": bool((columns <= n).all()),
        }

    def agreement(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Say on how many tiles a mask that should be optimal is; fields of `Agreement`."""
        tiles = to_tiles(mask, self.pattern.m)
        obeyed = (tiles.sum(axis=1) == self.pattern.n) & (tiles.sum(axis=2) == self.pattern.n)
        kept = np.where(tiles, self.scores[: len(tiles)], 0.0).sum(axis=(1, 2))
        loss = np.abs(1 - _ratio(kept, self.optimum[: len(tiles)]))
        agreeing = (loss <= NEAR) & obeyed.all(axis=1)
        return {
            "tiles": len(tiles),
            "agreeing": int(agreeing.sum()),
            "largest_loss": float(loss.max()),
        }


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; where there is nothing to win or lose the ratio is 1."""
    return np.divide(a, b, out=np.ones_like(a), where=b != 0)
