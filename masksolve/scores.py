"""Scores read piece by piece from weights of any layout and dtype."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from masksolve.errors import InvalidInput, InvalidScore
from masksolve.inputs import ScoreFunction, as_real
from masksolve.limits import LARGEST_SCORE
from masksolve.tiles import Box, TileLayout

__all__ = ["Scores", "as_scores", "own_space"]


@dataclass(frozen=True, eq=False)
class Scores:
    """An array of scores, or of weights whose magnitudes are the scores."""

    array: NDArray[Any]
    magnitude: bool
    name: str

    def tiles(self, layout: TileLayout, box: Box) -> NDArray[np.float64]:
        """Copy a box as float64 scores ``(t, h, w)``, zeros in the padding.

        Raises
        ------
        InvalidInput
            Naming the first score that is not finite, or too large to be summed.
        """
        tiles = layout.gather(self.array, box, np.float64)
        if self.magnitude:
            np.abs(tiles, out=tiles)
        # A comparison with NaN is false, so one reduction finds every kind of bad score.
        sizes = tiles if self.magnitude else np.abs(tiles)
        if tiles.size and not sizes.max() <= LARGEST_SCORE:
            raise self.refusal()
        return tiles

    def matrix(self, layout: TileLayout, box: Box, down: bool = False) -> NDArray[Any]:
        """Show a box of full tiles as a matrix of float32 or float64, its matrices stacked.

        The precision is one that holds the entries exactly, rows are contiguous; a view
        where the array is like that already, else a copy in scratch space that the
        thread's next one overwrites. Magnitudes are not taken. With `down` each matrix is
        transposed.
        """
        window = layout.window(self.array, box)
        if down:
            window = window.swapaxes(-2, -1)
        dtype = _precision(window.dtype)
        fit = window.dtype == dtype and window.flags.aligned
        if not (fit and window.ndim == 2 and window.strides[1] == dtype.itemsize):
            scratch = own_space("scores", window.size, dtype).reshape(window.shape)
            np.copyto(scratch, window)
            window = scratch.reshape(-1, window.shape[-1])
        return window

    def refusal(self) -> InvalidInput:
        """Make the error that says where the first bad score is."""
        for k, part in enumerate(self.array):  # by slices of the first axis: little memory
            with np.errstate(invalid="ignore"):  # the error says it, NumPy need not
                good = np.abs(np.asarray(part, dtype=np.float64)) <= LARGEST_SCORE
            if not good.all():
                index = (k, *(int(i) for i in np.argwhere(~good)[0]))
                return InvalidScore(self.name, index, float(self.array[index]))
        return InvalidInput(f"{self.name} changed while it was read")


_SCRATCH = threading.local()


def own_space(use: str, entries: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return space of this thread's own, for a use of which it has one at a time.

    Fresh memory for every box could cost more than the copy: where malloc returns to the
    system what is freed, as in Dask's workers, each box would wait for its pages.
    """
    nbytes = entries * np.dtype(dtype).itemsize
    found: NDArray[np.uint8] | None = getattr(_SCRATCH, use, None)
    if found is None or found.size < nbytes:
        found = np.empty(nbytes, dtype=np.uint8)
        setattr(_SCRATCH, use, found)
    return found[:nbytes].view(dtype)


def as_scores(weights: ArrayLike, score: ScoreFunction | None) -> Scores:
    """Validate weights and say how to read scores from them.

    The default, ``np.abs``, is applied piece by piece while reading (in floating point,
    where the smallest integer has a magnitude too); any other function is called once on
    the whole array.
    """
    array = as_real(weights, "weights")
    if score is None or score is np.abs:
        return Scores(array, score is np.abs, "weights")
    if not callable(score):
        raise InvalidInput(f"score must be a function or None, got {type(score).__name__}")
    found = as_real(score(array), "score(weights)")
    if found.shape != array.shape:
        raise InvalidInput(
            f"score(weights) has shape {found.shape}: expected that of weights, {array.shape}"
        )
    return Scores(found, False, "score(weights)")


@lru_cache(maxsize=64)
def _precision(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 if it holds every value of a dtype, else float64."""
    most = 2 if dtype.kind in "iub" else 4  # floats, and all of ml_dtypes' kinds
    return np.dtype(np.float32 if dtype.itemsize <= most else np.float64)
