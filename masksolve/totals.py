"""Sums of magnitudes: of a tensor on the way as its bytes come by, of a vector that is there."""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Total", "magnitudes"]

LANES = 16
LEAST = 4 * LANES
"""Values: a multiple of so many makes whole vectors of words, whatever the dtype."""
SHORT = {
    "bfloat16": (0, 1.0),
    "float16": (1, 2.0**112),
    "float8_e4m3fn": (2, 2.0**120),
    "float8_e5m2": (3, 2.0**112),
}
"""Number of the format, and the power of two between its exponents and float32's."""


class Total:
    """A sum of magnitudes of values that come piece by piece.

    It is good to seven digits, and depends on the values alone if every piece but the last
    has a multiple of 4096.

    Examples
    --------
    >>> import numpy as np
    >>> total = Total()
    >>> total.add(np.arange(-32, 32, dtype=np.float16))
    >>> total.add(np.full(3, -0.5, dtype=np.float16))
    >>> total.value
    1025.5
    """

    def __init__(self) -> None:
        self._lanes = np.zeros(LANES)

    def add(self, values: NDArray[Any]) -> None:
        """Take the next values, a contiguous vector of a dtype that files may have."""
        whole = len(values) // LEAST * LEAST
        self._add(values[:whole])
        if whole < len(values):
            rest = np.zeros(LEAST, dtype=values.dtype)
            rest[: len(values) - whole] = values[whole:]
            self._add(rest)

    def _add(self, values: NDArray[Any]) -> None:
        from masksolve.kernels.totals import add_magnitudes, add_words

        short = SHORT.get(values.dtype.name) if values.itemsize <= 2 else None
        if short is not None:
            lanes = self._lanes.copy()
            add_words(values.view(np.uint32), *short, lanes)
            if np.isfinite(lanes).all():
                self._lanes = lanes
                return
        if values.dtype not in (np.float32, np.float64):
            with np.errstate(invalid="ignore"):  # of NaN others speak
                values = values.astype(np.float64)
        add_magnitudes(values, self._lanes)

    @property
    def value(self) -> float:
        """What they come to, in float64."""
        return fsum(self._lanes)


def magnitudes(values: NDArray[Any]) -> float:
    """Add up the magnitudes of a contiguous vector.

    Examples
    --------
    >>> magnitudes(np.array([1.5, -2.0, 0.25]))
    3.75
    """
    total = Total()
    total.add(values)
    return total.value
