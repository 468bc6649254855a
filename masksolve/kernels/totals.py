"""Sums of magnitudes, the same on every machine: sixteen partial sums, whatever the vectors.

Values of one or two bytes are taken four or two to a word. Shifted to where float32 has its
exponent and the first bits of its mantissa, their magnitudes are float32's but for a power of
two, subnormal ones too; what is not finite comes out as some other number.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, abs_, load, promote, set_, store

__all__ = ["add_magnitudes", "add_words"]

BFLOAT16, FLOAT16, FLOAT8_E4M3 = range(3)  # and 3: FLOAT8_E5M2
BLOCK = 1024
"""Words that are unpacked at once: the fastest cache holds them."""


@kernel
def add_magnitudes(values, lanes):
    """Add magnitudes to sixteen sums in turn, in float64.

    Parameters
    ----------
    values : float32[:] or float64[:]
        A multiple of 16.
    lanes : float64[16]
    """
    total = load(lanes, 0)
    for i in range(0, len(values), LANES):
        total = total + promote(abs_(load(values, i)))
    store(lanes, 0, total)


@kernel
def add_words(words, kind, scale, lanes):
    """Do the same for values of one or two bytes, `kind` says which.

    Parameters
    ----------
    words : uint32[:]
        A multiple of 16. They are added eight at a time in float32, which rarely rounds.
    kind : int
    scale : float32
        The power of two between their exponents and float32's.
    lanes : float64[16]
    """
    bits = np.zeros((4, BLOCK), dtype=np.uint32)
    values = bits.view(np.float32).ravel()
    used = (2 if kind <= FLOAT16 else 4) * BLOCK
    factor, total = set_(np.float32(scale)), load(lanes, 0)
    for start in range(0, len(words), BLOCK):
        count = min(BLOCK, len(words) - start)
        if count < BLOCK:
            bits[:] = 0
        unpack(words[start : start + count], kind, bits)
        for first in range(0, used, 8 * LANES):
            some = load(values, first)
            for k in range(1, 8):
                some = some + load(values, first + k * LANES)
            total = total + promote(some * factor)
    store(lanes, 0, total)


@kernel
def unpack(words, kind, bits):
    """Put the magnitudes in words to the places of float32's bits, part by part."""
    a, b, c, d = bits[0], bits[1], bits[2], bits[3]
    if kind == BFLOAT16:
        for i in range(len(words)):
            a[i] = (words[i] << 16) & 0x7FFF0000
            b[i] = words[i] & 0x7FFF0000
    elif kind == FLOAT16:
        for i in range(len(words)):
            a[i] = (words[i] << 13) & 0x0FFFE000
            b[i] = (words[i] >> 3) & 0x0FFFE000
    elif kind == FLOAT8_E4M3:
        for i in range(len(words)):
            a[i] = (words[i] << 20) & 0x07F00000
            b[i] = (words[i] << 12) & 0x07F00000
            c[i] = (words[i] << 4) & 0x07F00000
            d[i] = (words[i] >> 4) & 0x07F00000
    else:
        for i in range(len(words)):
            a[i] = (words[i] << 21) & 0x0FE00000
            b[i] = (words[i] << 13) & 0x0FE00000
            c[i] = (words[i] << 5) & 0x0FE00000
            d[i] = (words[i] >> 3) & 0x0FE00000
