"""The one place that sets numba's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["kernel"]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first call, keep the machine code on disk, release the GIL.

    No fast-math: exactness rests on IEEE arithmetic. The code is cached beside the
    source, or in the user's cache folder where the install is read-only; where
    neither can be written it is compiled once per process.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder for its cache
        return numba.njit(nogil=True, error_model="numpy")(function)
