"""Weights under a mask of bits, whatever their dtype."""

from __future__ import annotations

from masksolve.kernels.jit import kernel

__all__ = ["keep_bits"]


@kernel
def keep_bits(weights, packed, out):
    """Copy the words whose bit is set, the first in the lowest; zeros for the others.

    Words are weights as unsigned integers, so that what is pruned becomes +0.0 and what
    is kept keeps every bit.
    """
    for b in range(weights.shape[0] // 8):
        bits = packed[b]
        for k in range(8):
            out[8 * b + k] = weights[8 * b + k] * ((bits >> k) & 1)
    for i in range(weights.shape[0] // 8 * 8, weights.shape[0]):
        out[i] = weights[i] * ((packed[i // 8] >> (i % 8)) & 1)
