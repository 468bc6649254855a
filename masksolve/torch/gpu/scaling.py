"""Tiles brought to a largest size of about one, and what rounding is allowed there."""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["HUGE", "SLACK", "TINY", "power_of_two"]

HUGE = tl.constexpr(2.0**100)
"""Beside scores of about one."""
SLACK = tl.constexpr(2.0**-21)
"""A score this close to its threshold, relatively, proves nothing in single precision."""
TINY = tl.constexpr(2.0**-120)
"""Nor does one this close: entries so small lose digits when they are scaled."""


@triton.jit
def power_of_two(largest, DOUBLE: tl.constexpr):
    """Return the power of two that brings the largest size of a tile to about one.

    Products with it are exact, but for entries 2^120 times smaller than the largest.
    """
    if DOUBLE:
        exponent = (largest.to(tl.int64, bitcast=True) >> 52) & 0x7FF
        bits = tl.maximum(2046 - tl.maximum(exponent, 1), 1) << 52
        power = bits.to(tl.float64, bitcast=True)
    else:
        exponent = (largest.to(tl.int32, bitcast=True) >> 23) & 0xFF
        bits = tl.maximum(254 - tl.maximum(exponent, 1), 1) << 23
        power = bits.to(tl.float32, bitcast=True)
    return power
