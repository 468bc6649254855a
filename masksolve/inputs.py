"""Validation at the door: arrays, axes and options, each with one clear sentence."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from functools import lru_cache
from math import inf, isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.errors import InvalidInput
from masksolve.limits import LARGEST_INTEGER

__all__ = [
    "ScoreFunction",
    "as_axes",
    "as_count",
    "as_mask",
    "as_number",
    "as_real",
    "as_share",
    "as_threads",
    "as_whole",
    "check_dtype",
]

ScoreFunction: TypeAlias = Callable[[Any], Any]


def as_real(array: ArrayLike, name: str) -> NDArray[Any]:
    """Return `array` as an ndarray of a dtype that float64 holds exactly."""
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidInput(f"{name} is a masked array: fill it first")
    try:
        found = np.asarray(array)
    except ValueError:  # ragged nested lists
        raise InvalidInput(f"{name} is not a rectangular array of numbers") from None
    except (RuntimeError, TypeError) as error:
        reason = str(error).split(". ")[0].strip().rstrip(".")
        if _is_tensor(array):
            raise InvalidInput(
                f"{name} is a torch tensor that NumPy cannot read ({reason}): use "
                "masksolve.torch.solve_mask, or pass tensor.detach().cpu().float()"
            ) from None
        raise InvalidInput(f"{name} cannot be read as an array: {reason}") from None
    dtype = found.dtype
    check_dtype(dtype, name)
    if dtype.kind in "iu" and dtype.itemsize == 8 and found.size:
        low, high = int(found.min()), int(found.max())
        if max(-low, high) > LARGEST_INTEGER:
            worst = high if high > -low else low
            raise InvalidInput(
                f"{name} holds {worst}: integers beyond 2**53 are not exact in float64"
            )
    return found


def _is_tensor(array: object) -> bool:
    """Tell a tensor of torch, or of a class made from it, where torch may not be installed."""
    return any(
        kind.__name__ == "Tensor" and kind.__module__ == "torch" for kind in type(array).__mro__
    )


@lru_cache(maxsize=64)
def _is_real(dtype: np.dtype[Any]) -> bool:
    # bfloat16, float8, int4 and the like are real; ml_dtypes has complex ones as well.
    extended = dtype.type.__module__ == "ml_dtypes" and "complex" not in dtype.name
    return (extended or dtype.kind in "biuf") and dtype.itemsize <= 8


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Refuse what float64 cannot hold."""
    if not _is_real(dtype):
        raise InvalidInput(
            f"{name} has dtype {dtype}: "
            "expected float8, float16, bfloat16, float32, float64 or integers"
        )


def as_axes(axes: Any, ndim: int, name: str) -> tuple[int, int]:
    """Return the two matrix axes counted from 0."""
    if ndim < 2:
        raise InvalidInput(f"{name} must have at least 2 dimensions, got {ndim}")
    try:
        first, second = map(operator.index, axes)
    except (TypeError, ValueError):
        raise InvalidInput(f"axes must be two integers, got {axes!r}") from None
    for axis in (first, second):
        if not -ndim <= axis < ndim:
            raise InvalidInput(f"axis {axis} is out of range for {name} with {ndim} dimensions")
    pair = (first % ndim, second % ndim)
    if pair[0] == pair[1]:
        raise InvalidInput(f"axes must differ, got {tuple(axes)} for {name} with {ndim} dimensions")
    return pair


def as_mask(mask: ArrayLike, name: str = "mask") -> NDArray[np.bool_]:
    """Return `mask` as bool; numbers must be 0 or 1."""
    found = as_real(mask, name)
    if found.dtype == np.bool_:
        return found
    ones = found == 1
    other = ~(ones | (found == 0))
    if other.any():
        first = tuple(int(i) for i in np.argwhere(other)[0])
        raise InvalidInput(
            f"{name}[{', '.join(map(str, first))}] is {found[first]}: a mask holds 0 and 1 only"
        )
    flags: NDArray[np.bool_] = ones
    return flags


def as_count(value: Any, name: str, least: int = 1) -> int:
    """Return a whole number of at least `least`."""
    number = as_whole(value)
    if number is None or number < least:
        raise InvalidInput(f"{name} must be a whole number from {least} up, got {value!r}")
    return number


def as_threads(threads: int | None) -> int:
    """Return how many threads to use; None means every core this process may use."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    number = as_whole(threads)
    if number is None or number < 1:
        raise InvalidInput(f"threads must be a positive integer or None, got {threads!r}")
    return number


def as_whole(value: Any) -> int | None:
    """Return a whole number; None if it is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def as_number(value: Any, name: str, least: float = -inf) -> float:
    """Return a finite number of at least `least`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not isfinite(number) or number < least:
        wanted = "a finite number" if least == -inf else f"a number from {least:g} up"
        raise InvalidInput(f"{name} must be {wanted}, got {value!r}")
    return number


def as_share(value: Any, name: str) -> float | None:
    """Return None, or a share from 0 to 1."""
    if value is None:
        return None
    number = as_number(value, name, 0)
    if number > 1:
        raise InvalidInput(f"{name} must be a share from 0 to 1, or None, got {value!r}")
    return number
