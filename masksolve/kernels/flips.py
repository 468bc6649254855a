"""Where two masks differ."""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["list_flips"]


@kernel
def list_flips(old, new, places):
    """Write the places of the bytes that differ, and return how many there are.

    Most words are alike, and cost one comparison.

    Parameters
    ----------
    old, new : uint64[:]
        Masks of bool, eight entries to a word.
    places : uint32[:]
        Room for all entries.
    """
    count = 0
    for i in range(len(old)):
        differ = old[i] ^ new[i]
        if differ == 0:
            continue
        for k in range(8):
            if differ & np.uint64(0xFF):
                places[count] = 8 * i + k
                count += 1
            differ >>= np.uint64(8)
    return count
