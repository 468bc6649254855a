"""The one place that sets numba's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile on first call, keep the machine code on disk, release the GIL.

    No fast-math: exactness rests on IEEE arithmetic. The code is cached beside the
    source, or in the user's cache folder where the install is read-only; where
    neither can be written it is compiled once per process.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba found no folder for its cache
        return cast(F, numba.njit(**options)(function))
