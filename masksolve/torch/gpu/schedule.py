"""How many rounds a tile gets before it is looked at, and how far they go."""

from __future__ import annotations

__all__ = ["schedule"]


def schedule(m: int) -> tuple[int, float]:
    """Choose rounds and relaxation, as measured on the CPU.

    Examples
    --------
    >>> schedule(8)
    (6, 1.27)
    """
    size = (m - 1).bit_length()  # log2, rounded up
    times = {1: 2, 2: 4, 3: 6, 4: 8, 5: 12}.get(size, 18)
    relax = {1: 1.0, 2: 1.12, 3: 1.27, 4: 1.4, 5: 1.5}.get(size, 1.6)
    return times, relax
