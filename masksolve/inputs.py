"""Validation at the door: arrays, axes and options, each with one clear sentence."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.errors import InvalidInput

__all__ = ["LARGEST_SCORE", "ScoreFunction", "as_axes", "as_mask", "as_scores", "finite_scores"]

LARGEST_SCORE = 2.0**960
"""Scores beyond this would overflow float64 in sums over tiles."""

LARGEST_INTEGER = 2**53
"""Integers beyond this are not exact in float64."""

ScoreFunction: TypeAlias = Callable[[Any], Any]


def as_real(array: ArrayLike, name: str) -> NDArray[Any]:
    """Return `array` as an ndarray of a dtype that float64 holds exactly."""
    try:
        found = np.asarray(array)
    except ValueError as error:  # ragged nested lists
        raise InvalidInput(f"{name} is not a rectangular array: {error}") from None
    dtype = found.dtype
    # bfloat16, float8, int4 and the like are real; ml_dtypes has complex ones as well.
    extended = dtype.type.__module__ == "ml_dtypes" and "complex" not in dtype.name
    if not (extended or dtype.kind in "biuf") or dtype.itemsize > 8:
        raise InvalidInput(
            f"{name} has dtype {dtype}: "
            "expected float16, bfloat16, float32, float64 or integers"
        )
    if dtype.kind in "iu" and dtype.itemsize == 8 and found.size:
        low, high = int(found.min()), int(found.max())
        if max(-low, high) > LARGEST_INTEGER:
            worst = high if high > -low else low
            raise InvalidInput(
                f"{name} holds {worst}: integers beyond 2**53 are not exact in float64"
            )
    return found


def as_axes(axes: Any, ndim: int, name: str) -> tuple[int, int]:
    """Return the two matrix axes counted from 0."""
    if ndim < 2:
        raise InvalidInput(f"{name} must have at least 2 dimensions, got {ndim}")
    try:
        first, second = (operator.index(a) for a in axes)
    except (TypeError, ValueError):
        raise InvalidInput(f"axes must be two integers, got {axes!r}") from None
    for axis in (first, second):
        if not -ndim <= axis < ndim:
            raise InvalidInput(f"axis {axis} is out of range for {name} with {ndim} dimensions")
    pair = (first % ndim, second % ndim)
    if pair[0] == pair[1]:
        raise InvalidInput(
            f"axes must differ, got {tuple(axes)} for {name} with {ndim} dimensions"
        )
    return pair


def as_scores(weights: ArrayLike, score: ScoreFunction | None) -> tuple[NDArray[Any], bool]:
    """Return the array to read scores from, and whether to take its magnitude.

    The default, ``np.abs``, is applied piece by piece while reading (in float64, where
    the smallest integer has a magnitude too); any other function is called once on
    the whole array.
    """
    array = as_real(weights, "weights")
    if score is None or score is np.abs:
        return array, score is np.abs
    if not callable(score):
        raise InvalidInput(f"score must be a function or None, got {type(score).__name__}")
    scores = as_real(score(array), "score(weights)")
    if scores.shape != array.shape:
        raise InvalidInput(
            f"score(weights) has shape {scores.shape}: expected that of weights, {array.shape}"
        )
    return scores, False


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


def finite_scores(scores: NDArray[np.float64]) -> bool:
    """Tell whether every score is finite and small enough to be summed."""
    # A comparison with NaN is false, so one reduction finds all three.
    return not scores.size or bool(np.abs(scores).max() <= LARGEST_SCORE)


def refuse_scores(array: NDArray[Any], name: str) -> InvalidInput:
    """Make the error that says where the first bad score is."""
    for k, part in enumerate(array):  # by slices of the first axis: little memory
        good = np.abs(np.asarray(part, dtype=np.float64)) <= LARGEST_SCORE
        if not good.all():
            index = (k, *(int(i) for i in np.argwhere(~good)[0]))
            value = float(array[index])
            what = f"{name}[{', '.join(map(str, index))}] is {value}"
            if np.isfinite(value):
                return InvalidInput(f"{what}: scores beyond 2**960 overflow when summed")
            return InvalidInput(f"{what}: scores must be finite")
    return InvalidInput(f"{name} changed while it was read")
