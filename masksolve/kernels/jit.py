"""The one place that sets numba's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["callback", "kernel", "kernel_for"]


NO_CACHE = (RuntimeError, OSError, EOFError)
"""No folder for the cache, no room in it, or a file in it that was cut short."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first call, keep the machine code on disk, release the GIL.

    No fast-math: exactness rests on IEEE arithmetic. The code is cached beside the
    source, or in the user's cache folder where the install is read-only; where
    neither can be written it is compiled once per process.
    """
    return kernel_for(None)(function)


def kernel_for(types: Any) -> Callable[[Callable[..., Any]], Any]:
    """Do as `kernel`; given argument types, compile at once and for these only."""

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(types, cache=True, nogil=True, error_model="numpy")(function)
        except NO_CACHE:
            return numba.njit(types, nogil=True, error_model="numpy")(function)

    return compile_


_ALIVE: list[Any] = []
"""C functions live as long as the process, as their addresses may."""


def callback(signature: Any, *constants: int) -> Callable[[Callable[..., Any]], int]:
    """Compile at once to a C function and return its address, for kernels to call.

    The constants that the function takes from around it go into its name: numba tells
    machine code by name and types, and code that several processes cached may be loaded
    into one.
    """

    def compile_(function: Callable[..., Any]) -> int:
        for constant in constants:
            function.__name__ += f"_{constant}"
            function.__qualname__ += f"_{constant}"
        try:
            compiled: Any = numba.cfunc(signature, cache=True, error_model="numpy")(function)
        except NO_CACHE:
            compiled = numba.cfunc(signature, error_model="numpy")(function)
        _ALIVE.append(compiled)
        return int(compiled.address)

    return compile_
