"""How many rounds each stage takes, and how far they go, as measured (docs: the engine)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGER", "relaxations", "rounds"]

LONGER = 2
"""Stage 2 takes this many times the rounds of stage 1, stage 3 as many again."""
ROUNDS = {1: 2, 2: 4, 3: 6, 4: 8, 5: 12, 6: 18}
"""Rounds of stage 1 by the logarithm of m, rounded up."""
FIRST = 1.1
LAST = {1: 1.0, 2: 1.12, 3: 1.27, 4: 1.42, 5: 1.54, 6: 1.64}
"""What relaxations come to, by the logarithm of m."""


def rounds(m: int) -> int:
    """Return how many rounds stage 1 takes."""
    return ROUNDS[(m - 1).bit_length()]


def relaxations(m: int) -> NDArray[np.float32]:
    """Return the relaxation of each round: first those of stage 1, then one for all later ones.

    Each is half as far from the last as the one before: early rounds that go far overshoot.
    """
    times, last = rounds(m), LAST[(m - 1).bit_length()]
    rise = [last - (last - min(FIRST, last)) / 2**k for k in range(times)]
    return np.array(rise + [last] * (LONGER * times), dtype=np.float32)
