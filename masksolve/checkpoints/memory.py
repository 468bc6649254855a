"""How much memory a run may take, and what that leaves for slices."""

from __future__ import annotations

import re

from masksolve.errors import InvalidInput

__all__ = ["parse_bytes", "slice_bytes"]

UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 2**10,
    "MI": 2**20,
    "GI": 2**30,
    "TI": 2**40,
}
SYNTAX = re.compile(r"([0-9]+(?:\.[0-9]*)?) *((?:[KMGT]I?)?)B?", re.IGNORECASE)

BASE = 350_000_000
"""Bytes of a process that solves nothing yet: Python, NumPy, numba, compiled kernels."""

SHARES = 5
"""How many times over a slice may be held: read ahead, solved, masked, written."""

LARGEST = 32 << 20
"""Larger slices gain nothing: memory that nobody has touched for long takes its time, too."""


def parse_bytes(text: str | int) -> int:
    """Read a number of bytes.

    Parameters
    ----------
    text : str or int
        Such as ``"2GB"``, ``"1.5 GiB"``, ``"800M"``.

    Raises
    ------
    InvalidInput
        If it is no positive number of bytes.

    Examples
    --------
    >>> parse_bytes("2GB"), parse_bytes("1.5KiB")
    (2000000000, 1536)
    """
    match = SYNTAX.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise InvalidInput(f"memory {text!r} is not of the form '2GB' or '800MB'")
    return int(float(match[1]) * UNITS[match[2].upper()])


def slice_bytes(memory: str | int) -> int:
    """Return how large slices may be for a process to keep within `memory`.

    Raises
    ------
    InvalidInput
        If it is too little for any.

    Examples
    --------
    >>> slice_bytes("400MB"), slice_bytes("1GB")
    (10000000, 33554432)
    """
    most = (parse_bytes(memory) - BASE) // SHARES
    if most < 1 << 20:
        raise InvalidInput(
            f"memory {memory} is too little: expected {(BASE + (SHARES << 20)) / 1e6:.0f}MB or "
            "more, most of which Python and its compiler take"
        )
    return min(most, LARGEST)
