"""Weights kept as codes and scales: one file for each family of formats, and a registry.

What they have in common is a `Coding`: how codes are packed, what each is worth, which scales
and zero points count for it, and so which code is zero.
"""

from masksolve.quantised.coding import BYTES_AT_WORK, Coding
from masksolve.quantised.registry import Quantised, recognise

__all__ = ["BYTES_AT_WORK", "Coding", "Quantised", "recognise"]
