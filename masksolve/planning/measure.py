r"""What masks keep of one layer's score: proven optimum, plain N:M, unstructured.

Plain N:M keeps the n largest of every group and unstructured the k largest of the layer;
both are optimal by definition, so a partial sort finds them; the plain masks of a whole layer
`solve` finds sooner. The transposable optimum comes from it as well, with its proof.

A sample of :math:`t` of a layer's :math:`T` tiles, drawn without replacement, estimates the
kept share by the ratio :math:`R = \sum y_i / \sum x_i` of the kept to the whole score of its
tiles. With :math:`X` the layer's whole score, which is known, the estimate of what the layer
keeps is :math:`R X`, of variance

.. math:: T^2 (1 - t/T) \frac{1}{t (t - 1)} \sum_i (y_i - R x_i)^2

(Cochran, *Sampling Techniques*, 3rd ed., 1977, section 6.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.errors import InvalidInput
from masksolve.inputs import ScoreFunction, as_axes
from masksolve.limits import LARGEST_SCORE
from masksolve.pattern import Pattern
from masksolve.planning.costs import plain_of
from masksolve.result import Status
from masksolve.scores import as_scores
from masksolve.solving import solve

__all__ = ["Kept", "ratio_estimate", "read_scores", "sampled", "top_sums", "whole"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the masks of a pattern, and of its plain version, keep of a layer's score.

    Attributes
    ----------
    best, plain : float
        Kept scores, or their estimates.
    variance : float
        Of the estimate of `best`; 0 where every tile was solved.
    proven : bool
        Whether every tile that was solved is proven optimal.
    tiles : int
        How many were solved.
    """

    best: float
    plain: float
    variance: float
    proven: bool
    tiles: int


def read_scores(
    weights: ArrayLike, score: ScoreFunction | None, axes: tuple[int, int]
) -> NDArray[Any]:
    """Copy an array's scores as matrices.

    Parameters
    ----------
    weights, score, axes
        As for `solve`.

    Returns
    -------
    ndarray of float32 or float64, shape (matrices, rows, columns)
        float32 where that holds them exactly.

    Raises
    ------
    InvalidInput
        If a score is negative, NaN or infinite.
    """
    given = as_scores(weights, score)
    pair = as_axes(axes, given.array.ndim, "weights")
    single = np.can_cast(given.array.dtype, np.float32)
    matrices = np.moveaxis(given.array, pair, (-2, -1))
    with np.errstate(invalid="ignore"):  # NaN is refused below
        scores = matrices.astype(np.float32 if single else np.float64, order="C")
    if given.magnitude:
        np.abs(scores, out=scores)
    low, high = float(scores.min(initial=0)), float(scores.max(initial=0))
    if not (high <= LARGEST_SCORE and low > -np.inf):
        raise given.refusal()
    if low < 0:
        raise InvalidInput(
            f"{given.name} has negative scores: shares of the total are of scores of 0 or more"
        )
    return scores.reshape(-1, *scores.shape[-2:])


def top_sums(scores: NDArray[Any], counts: Iterable[int]) -> dict[int, float]:
    """Sum the k largest scores, for several k at once.

    Examples
    --------
    >>> top_sums(np.array([[3.0, 1.0], [2.0, 5.0]]), [1, 3])
    {1: 5.0, 3: 10.0}
    """
    wanted = sorted(set(counts))
    flat = scores.ravel()
    places = [flat.size - k for k in wanted if 0 < k < flat.size]
    if places:
        flat = np.partition(flat, places)
    return {k: float(flat[flat.size - k :].sum(dtype=np.float64)) for k in wanted}


def whole(scores: NDArray[Any], pattern: Pattern, tiles: int, threads: int | None) -> Kept:
    """Solve every tile of a layer: ``scores`` of shape (matrices, rows, columns)."""
    matrix = scores[0] if len(scores) == 1 else scores
    plain = solve(matrix, plain_of(pattern), score=None, threads=threads).objective
    if not pattern.transposable:
        return Kept(plain, plain, 0.0, True, tiles)
    result = solve(matrix, pattern, score=None, threads=threads)
    return Kept(result.objective, plain, 0.0, result.status is Status.OPTIMAL, tiles)


def _plain_sums(scores: NDArray[Any], pattern: Pattern) -> NDArray[np.float64]:
    """Sum the n largest of every m along the last axis, for each line: one axis less."""
    n, m = pattern.n, pattern.m
    rest = -scores.shape[-1] % m
    if rest:  # zeros change no sum
        scores = np.pad(scores, [(0, 0)] * (scores.ndim - 1) + [(0, rest)])
    groups = scores.reshape(*scores.shape[:-1], -1, m)
    largest = np.partition(groups, m - n, axis=-1)[..., m - n :]
    sums: NDArray[np.float64] = largest.sum(axis=(-2, -1), dtype=np.float64)
    return sums


def sampled(
    scores: NDArray[Any], pattern: Pattern, chosen: NDArray[np.intp], threads: int | None
) -> Kept:
    """Solve some of a layer's m x m tiles and estimate what all of them keep.

    Parameters
    ----------
    scores : ndarray, shape (matrices, rows, columns)
    chosen : ndarray of int
        Numbers of the tiles to solve, counted by matrix, then row, then column of tiles.
    """
    m = pattern.m
    grid = (len(scores), -(-scores.shape[1] // m), -(-scores.shape[2] // m))
    tiles, partial = _cut(scores, m, np.unravel_index(chosen, grid))
    whole_score = float(scores.sum(dtype=np.float64))
    size = tiles.sum(axis=(1, 2), dtype=np.float64)
    count = int(np.prod(grid))
    plain = _plain_sums(tiles, plain_of(pattern)).sum(axis=-1)
    best, proven = plain, True
    if pattern.transposable:
        best, proven = _best(tiles, partial, pattern, threads)
    kept, variance = ratio_estimate(best, size, count, whole_score)
    return Kept(
        kept, ratio_estimate(plain, size, count, whole_score)[0], variance, proven, len(chosen)
    )


def _cut(
    scores: NDArray[Any], m: int, places: tuple[NDArray[np.intp], ...]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Copy tiles ``(t, m, m)``, zeros in the padding, and say which are partial."""
    tiles = np.zeros((len(places[0]), m, m), dtype=scores.dtype)
    partial = np.zeros(len(tiles), dtype=np.bool_)
    for k, (matrix, row, column) in enumerate(zip(*places, strict=True)):
        piece = scores[matrix, row * m : (row + 1) * m, column * m : (column + 1) * m]
        tiles[k, : piece.shape[0], : piece.shape[1]] = piece
        partial[k] = piece.shape != (m, m)
    return tiles, partial


def _best(
    tiles: NDArray[Any], partial: NDArray[np.bool_], pattern: Pattern, threads: int | None
) -> tuple[NDArray[np.float64], bool]:
    """Solve tiles ``(t, m, m)``: what each keeps, and whether all are proven."""
    kept, proven = np.zeros(len(tiles)), True
    at_most = Pattern(pattern.n, pattern.m, at_most=True)  # the rule of partial tiles
    for which, rule in ((~partial, pattern), (partial, at_most)):
        if which.any():
            column = tiles[which].reshape(-1, pattern.m)  # one tile below the other
            result = solve(column, rule, score=None, threads=threads)
            kept[which] = result.tiles.objective.ravel()
            proven &= result.status is Status.OPTIMAL
    return kept, proven


def ratio_estimate(
    part: NDArray[np.float64], size: NDArray[np.float64], count: int, total: float
) -> tuple[float, float]:
    """Estimate a population's sum of `part` from a sample, by its ratio to `size`.

    Parameters
    ----------
    part, size : ndarray of float64, shape (t,)
        The sample, t > 1.
    count : int
        Members of the population.
    total : float
        The population's sum of `size`.

    Returns
    -------
    tuple of float
        The estimate and its variance.

    Examples
    --------
    >>> ratio_estimate(np.array([1.0, 2.0]), np.array([2.0, 4.0]), 10, 30.0)
    (15.0, 0.0)
    """
    drawn = len(part)
    ratio = part.sum() / size.sum() if size.any() else 1.0
    spread = float(((part - ratio * size) ** 2).sum()) / (drawn - 1)
    return float(ratio * total), count**2 * (1 - drawn / count) * spread / drawn
