"""What numbers may be, everywhere."""

from __future__ import annotations

__all__ = ["LARGEST_INTEGER", "LARGEST_SCORE"]

LARGEST_SCORE = 2.0**960
"""Scores beyond this would overflow float64 in sums over tiles."""
LARGEST_INTEGER = 2**53
"""Integers beyond this are not exact in float64."""
