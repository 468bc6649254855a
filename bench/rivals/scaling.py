"""Scores on a scale that suits a solver's tolerances, or its integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["scaled"]


def scaled(scores: NDArray[np.float32], bits: int) -> NDArray[np.float64]:
    """Multiply each tile by a power of two, so that its largest is in [2**(bits-1), 2**bits).

    That rounds nothing, and tiles of zeros stay as they are.
    """
    largest = scores.max(axis=(1, 2))
    shift = np.where(largest > 0, bits - np.frexp(largest)[1], 0)
    return np.ldexp(scores.astype(np.float64), shift[:, None, None])
