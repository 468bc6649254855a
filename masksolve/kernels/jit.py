"""The one place that sets numba's options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import config
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature

from masksolve.compiling import making_kernels
from masksolve.kernels.cache import cache_of

__all__ = ["callback", "entry", "inner", "kernel", "kernel_for"]


@contextmanager
def _making() -> Iterator[None]:
    """Have the clock run, and numba compile, even if NUMBA_DISABLE_JIT forbids it.

    That is meant for Python functions of others: ours are made of machine instructions that
    no interpreter runs. numba looks at it, too, where functions of its own are compiled into
    ours.
    """
    with making_kernels(), global_compiler_lock:
        before, config.DISABLE_JIT = config.DISABLE_JIT, 0
        try:
            yield
        finally:
            config.DISABLE_JIT = before


class _Kernel(CPUDispatcher):
    """What `numba.njit` makes, with our cache."""

    def enable_caching(self) -> None:
        """Use our cache."""
        self._cache = cache_of(self.py_func)

    def compile(self, sig: Any) -> Any:
        """Compile or load."""
        with _making():
            return super().compile(sig)


class _Callback(CFunc):
    """What `numba.cfunc` makes, with our cache."""

    def enable_caching(self) -> None:
        """Use our cache."""
        self._cache = cache_of(self._pyfunc)

    def compile(self) -> None:
        """Compile or load."""
        with _making():
            super().compile()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first call, keep the machine code on disk, release the GIL.

    No fast-math: exactness rests on IEEE arithmetic. The code is cached beside the
    source, or in the user's cache folder where the install is read-only; where
    neither can be written it is compiled once per process.
    """
    with making_kernels():
        options = {"nopython": True, "nogil": True, "error_model": "numpy", "boundscheck": None}
        compiled = _Kernel(function, targetoptions=options)
        compiled.enable_caching()
    return compiled


def inner(function: Callable[..., Any]) -> Any:
    """Do as `kernel` for what only kernels call: what Python would call it by is not compiled."""
    with making_kernels():
        options = {"nopython": True, "nogil": True, "error_model": "numpy", "boundscheck": None}
        options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        compiled = _Kernel(function, targetoptions=options)
        compiled.enable_caching()
    return compiled


def kernel_for(types: Any) -> Callable[[Callable[..., Any]], Any]:
    """Do as `kernel`; compile at once, for these argument types only."""

    def compile_(function: Callable[..., Any]) -> Any:
        compiled = kernel(function)
        compiled.compile(types)
        compiled.disable_compile()
        return compiled

    return compile_


def entry(compiled: Any) -> Any:
    """Return the machine code of what `kernel_for` made, to be called without a look at types.

    That look can take as long as a small tile's work. The code refuses arrays of other
    dimensions or item sizes; the rest is up to the caller.
    """
    (only,) = compiled.overloads.values()
    return only.entry_point


_ALIVE: list[_Callback] = []
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
        options = {"error_model": "numpy"}
        compiled = _Callback(function, normalize_signature(signature), {}, options)
        compiled.enable_caching()
        compiled.compile()
        _ALIVE.append(compiled)
        address: Any = compiled.address
        return int(address)

    return compile_
