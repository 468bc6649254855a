"""How many rounds each stage takes, and how far they go, as measured (docs: the engine)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGER", "relaxations", "schedule"]

LONGER = 2
"""Stage 2 takes this many times the rounds of stage 1, stage 3 as many again."""


def schedule(n: int, m: int) -> tuple[int, float]:
    """Choose rounds of stage 1, and the relaxation that they come to."""
    size = (m - 1).bit_length()  # log2, rounded up
    times = {1: 2, 2: 4, 3: 6, 4: 8, 5: 12}.get(size, 18)
    omega = {1: 1.0, 2: 1.12, 3: 1.27, 4: 1.4, 5: 1.5}.get(size, 1.6)
    return times, omega


def relaxations(m: int) -> NDArray[np.float32]:
    """Return the relaxation of each round: of stage 1, then of later ones."""
    times, omega = schedule(m // 2, m)
    return np.array([1.0] + [omega] * (times - 1) + [omega] * (LONGER * times), dtype=np.float32)
