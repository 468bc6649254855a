"""The constraints whose diversity is held against their quality: patterns, and none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod

import numpy as np
from numpy.typing import NDArray

import masksolve as ms
from masksolve import diversity

__all__ = ["CONSTRAINTS", "DENSE", "Constraint"]


@dataclass(frozen=True)
class Constraint:
    """A pattern, or any mask of a density.

    Attributes
    ----------
    density : float
    pattern : Pattern or None
        None: unstructured.
    """

    density: float
    pattern: ms.Pattern | None = None

    @property
    def label(self) -> str:
        """Name it: "4:8 T" is transposable, "any 50%" unstructured."""
        p = self.pattern
        if p is None:
            return "dense" if self.density == 1 else f"any {self.density:.0%}"
        return f"{p.n}:{p.m} {'T' if p.transposable else 'plain'}"

    def mask(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Find the best mask, proven, of each matrix of scores: (..., output, input)."""
        if self.pattern is None:
            return self._largest(scores)
        found = ms.solve(scores, self.pattern, score=None, threads=1)
        if found.status is not ms.Status.OPTIMAL:
            raise RuntimeError(f"{self.label} is not proven optimal")
        return found.mask

    def bits(self, shapes: Sequence[tuple[int, int]]) -> float:
        """Return log2 of the number of masks that matrices allow together, per weight."""
        if self.pattern is None:
            sizes = [prod(shape) for shape in shapes]
            logs = [diversity.log10_unstructured(k, round(self.density * k)) for k in sizes]
        else:
            logs = [diversity.log10(self.pattern, shape) for shape in shapes]
        return self._per_weight(shapes, logs)

    def paper_bits(self, shapes: Sequence[tuple[int, int]]) -> float:
        """Return the same by the paper's formula, which over-counts transposable masks."""
        if self.pattern is None:
            return self.bits(shapes)
        logs = [diversity.log10_hubara(self.pattern, shape) for shape in shapes]
        return self._per_weight(shapes, logs)

    def _per_weight(self, shapes: Sequence[tuple[int, int]], logs: Sequence[float]) -> float:
        return sum(logs) * log2(10) / sum(prod(shape) for shape in shapes)

    def _largest(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        flat = scores.reshape(*scores.shape[:-2], -1)
        pruned = flat.shape[-1] - round(self.density * flat.shape[-1])
        lightest = np.argpartition(flat, pruned, axis=-1)[..., :pruned]
        mask = np.ones(flat.shape, dtype=np.bool_)
        np.put_along_axis(mask, lightest, False, axis=-1)
        return mask.reshape(scores.shape)


DENSE = Constraint(1.0)
"""No mask at all."""


def _of_density(density: float, patterns: str) -> list[Constraint]:
    pairs = [[int(k) for k in pattern.split(":")] for pattern in patterns.split()]
    return [
        Constraint(density),
        *(Constraint(density, ms.Pattern(n, m, transposable=False)) for n, m in pairs),
        *(Constraint(density, ms.Pattern(n, m)) for n, m in pairs),
    ]


CONSTRAINTS = (
    *_of_density(1 / 2, "1:2 2:4 4:8 8:16 16:32"),
    *_of_density(1 / 4, "1:4 2:8 4:16 8:32"),
    *_of_density(3 / 4, "3:4 6:8 12:16 24:32"),
)
"""All that is compared."""
