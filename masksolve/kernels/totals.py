"""Sums of magnitudes, the same on every machine: sixteen partial sums, whatever the vectors."""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["add_magnitudes", "add_short_magnitudes"]

LANES = 16
BLOCK = 1024


@kernel
def add_magnitudes(values, lanes):
    """Add ``|values[i]|`` to ``lanes[i % 16]``, in float64.

    Parameters
    ----------
    values : 1-D array of float32, float64, integers or bool
    lanes : float64[16]
    """
    whole = len(values) // LANES
    for b in range(whole):
        for k in range(LANES):
            lanes[k] += abs(np.float64(values[b * LANES + k]))
    for i in range(whole * LANES, len(values)):
        lanes[i % LANES] += abs(np.float64(values[i]))


@kernel
def add_short_magnitudes(words, mask, shift, scale, lanes):
    """Do the same for formats of one or two bytes: their bits, shifted, are float32's.

    What is not finite comes out as some other number.

    Parameters
    ----------
    words : uint8[:] or uint16[:]
        The bits of the values.
    mask : int
        All of a word but its sign.
    shift : int
        From the last bit of the mantissa to that of float32's.
    scale : float
        2 to the difference of the exponents' offsets, so that small values come out right.
    lanes : float64[16]
    """
    bits = np.empty(BLOCK, dtype=np.uint32)
    values = bits.view(np.float32)
    factor = np.float32(scale)
    for start in range(0, len(words), BLOCK):
        count = min(BLOCK, len(words) - start)
        for i in range(count):
            bits[i] = (np.uint32(words[start + i]) & np.uint32(mask)) << np.uint32(shift)
        for i in range(count, BLOCK):
            bits[i] = 0
        for b in range(BLOCK // LANES):
            for k in range(LANES):
                lanes[k] += np.float64(values[b * LANES + k] * factor)
