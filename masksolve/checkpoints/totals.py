"""The sum of all magnitudes of a tensor, taken on the way as its bytes come by."""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Total"]

SHORT = {
    "bfloat16": (0x7FFF, 16, 1.0),
    "float16": (0x7FFF, 13, 2.0**112),
    "float8_e4m3fn": (0x7F, 20, 2.0**120),
    "float8_e5m2": (0x7F, 21, 2.0**112),
}
"""Magnitude bits, their place in float32, and the power of two between the exponents."""


class Total:
    """A sum of magnitudes of values that come piece by piece.

    It depends on the values alone, if every piece but the last has a multiple of 16.

    Examples
    --------
    >>> import numpy as np
    >>> total = Total()
    >>> total.add(np.arange(-16, 16, dtype=np.float16))
    >>> total.add(np.full(3, -0.5, dtype=np.float16))
    >>> total.value
    257.5
    """

    def __init__(self) -> None:
        self._lanes = np.zeros(16)

    def add(self, values: NDArray[Any]) -> None:
        """Take the next values, a contiguous vector of a dtype that files may have."""
        from masksolve.kernels.totals import add_magnitudes, add_short_magnitudes

        short = SHORT.get(values.dtype.name)
        if short is None:
            add_magnitudes(np.require(values, requirements="A"), self._lanes)
        else:
            words = np.require(values.view(f"u{values.itemsize}"), requirements="A")
            add_short_magnitudes(words, *short, self._lanes)

    @property
    def value(self) -> float:
        """What they come to, in float64."""
        return fsum(self._lanes)
