"""Masks of dask arrays: block by block, lazily, the same as of arrays in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from masksolve.dask.chunks import aligned
from masksolve.dask.result import Block, DaskResult, Figures
from masksolve.errors import InvalidInput, InvalidScore
from masksolve.inputs import as_axes, as_threads, check_dtype
from masksolve.pattern import Pattern
from masksolve.problem import Problem, warn_of_kernels
from masksolve.solvers import as_options, find_method
from masksolve.solving import solve_problem
from masksolve.tiles import TileLayout

__all__ = ["solve"]


def solve(
    weights: da.Array,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    score: Callable[[da.Array], da.Array] | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    certify: bool = False,
    threads: int | None = 1,
) -> DaskResult:
    """Find the mask of an N:M pattern that keeps the most score of a dask array.

    The mask is the one that `masksolve.solve` finds for the array in memory, whatever the
    chunks. Nothing is computed until the result is asked for; then each block is solved
    by itself, on whatever scheduler.

    Parameters
    ----------
    weights : dask Array, at least 2-D
        Of blocks in NumPy's memory, of any dtype that `masksolve.solve` takes. Where a
        border between chunks runs through tiles, it is moved to the nearest edge of one.
    pattern : Pattern or str
        For example ``"2:4"``, ``"4:8,at-most"``, ``"2:4,plain"``.
    method, options, axes, certify
        As for `masksolve.solve`.
    score : callable or None
        Turns the whole dask array into a dask array of scores of the same shape, lazily;
        None: they are scores already, of any sign.
    threads : int or None
        Threads for each block. A scheduler solves as many blocks at once as it has
        threads, so one each is right there; None takes every core.

    Returns
    -------
    DaskResult
        Its mask has the chunks of the weights.

    Raises
    ------
    InvalidInput
        At once for unknown chunk sizes, blocks that are not NumPy's, bad axes, dtype or
        options; when it is computed for a score that is not finite (naming the first of
        its block).
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.

    Examples
    --------
    >>> import dask.array as da, numpy as np, masksolve as ms
    >>> weights = np.random.default_rng(0).normal(size=(3, 21, 19))
    >>> result = solve(da.from_array(weights, chunks=(2, 10, 10)), "2:4")
    >>> result.mask
    dask.array<..., shape=(3, 21, 19), dtype=bool, chunksize=(2, 10, 10), ...>
    >>> bool((result.mask.compute() == ms.solve(weights, "2:4").mask).all())
    True
    """
    pattern = Pattern.parse(pattern)
    chosen = find_method(method, pattern)
    given = as_options(method, chosen.options, options)
    as_threads(threads)
    _check_array(weights, "weights")
    pair = as_axes(axes, weights.ndim, "weights")
    warn_of_kernels(TileLayout(weights.shape, pair, pattern.tile_shape))
    scores, name = _scores(weights, score)
    sides = zip(pair, pattern.tile_shape, strict=True)
    # By tasks: what moves are the strips between old and new borders, no more.
    scores = scores.rechunk(
        {axis: aligned(weights.chunks[axis], side) for axis, side in sides}, method="tasks"
    )
    blocks = da.map_blocks(
        _solve_block,
        scores,
        str(pattern),
        magnitude=score is np.abs,
        label=name,
        axes=pair,
        method=method,
        options=given,
        certify=certify,
        threads=threads,
        meta=np.empty((0,) * weights.ndim, dtype=object),
    )
    mask = da.map_blocks(
        Block.mask_of, blocks, meta=np.empty((0,) * weights.ndim, dtype=np.bool_)
    ).rechunk(weights.chunks, method="tasks")
    bounded = certify or chosen.exact or not weights.size  # of nothing all is known
    return DaskResult.of(mask, blocks, pattern, pair, method, bounded=bounded)


def _check_array(array: Any, name: str) -> None:
    """Refuse what cannot be solved, as far as can be told without computing."""
    if not isinstance(array, da.Array):
        raise InvalidInput(f"{name} must be a dask array, got {type(array).__name__}")
    if any(math.isnan(size) for size in array.shape):
        raise InvalidInput(
            f"{name} has chunks of unknown size: call its compute_chunk_sizes() first"
        )
    if isinstance(array._meta, np.ma.MaskedArray):
        raise InvalidInput(f"{name} is a masked array: fill it first")
    if not isinstance(array._meta, np.ndarray):
        kind = type(array._meta)
        raise InvalidInput(
            f"{name} has blocks of {kind.__module__}.{kind.__name__}: expected NumPy arrays"
        )
    check_dtype(array.dtype, name)


def _scores(weights: da.Array, score: Any) -> tuple[da.Array, str]:
    """Give the array to read scores from, and its name in messages."""
    if score is None or score is np.abs:  # magnitudes are taken while solving
        return weights, "weights"
    if not callable(score):
        raise InvalidInput(f"score must be a function or None, got {type(score).__name__}")
    found = score(weights)
    _check_array(found, "score(weights)")
    if found.shape != weights.shape:
        raise InvalidInput(
            f"score(weights) has shape {found.shape}: expected that of weights, {weights.shape}"
        )
    return found, "score(weights)"


def _solve_block(
    scores: NDArray[Any],
    pattern: str,
    *,
    magnitude: bool,
    label: str,
    axes: tuple[int, int],
    method: str,
    options: Mapping[str, float],
    certify: bool,
    threads: int | None,
    block_info: Any,
) -> Block:
    try:
        problem = Problem(scores, pattern, np.abs if magnitude else None, axes, threads)
        result = solve_problem(problem, method=method, options=options, certify=certify)
    except InvalidScore as error:
        start = [first for first, _ in block_info[0]["array-location"]]
        raise error.within(label, start) from None
    return Block(result.mask, Figures.of(result))
