"""Compiled loops over preallocated arrays: numba only, no validation, no raising."""

from masksolve.compiling import making_kernels

with making_kernels():  # half a second, the first time, of whatever needs the first kernel
    import numba  # noqa: F401
