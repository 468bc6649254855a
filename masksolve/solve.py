"""Solve, certify, repair: validate, cut into tiles, run a method, put together."""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.certificate import kept_scores, proven, tile_gaps
from masksolve.checks import check_mask, lines_short
from masksolve.errors import InvalidInput
from masksolve.inputs import (
    ScoreFunction,
    as_axes,
    as_mask,
    as_scores,
    finite_scores,
    refuse_scores,
)
from masksolve.pattern import Pattern
from masksolve.pieces import Progress, as_threads, for_each_box
from masksolve.result import Certificate, MaskResult, Status, TileResults
from masksolve.solvers import METHODS, TileSolution, find_method
from masksolve.tiles import Box, TileLayout

__all__ = ["certify", "repair", "solve"]

Scores = NDArray[np.float64]


class _Problem:
    """Weights under a pattern: reads scores box by box and collects what comes of them."""

    def __init__(
        self,
        weights: ArrayLike,
        pattern: Pattern | str,
        score: ScoreFunction | None,
        axes: tuple[int, int],
        threads: int | None,
    ) -> None:
        self.started = time.perf_counter()
        self.pattern = Pattern.parse(pattern)
        self.threads = as_threads(threads)
        self.array, self.magnitude = as_scores(weights, score)
        self.score_name = "weights" if score is None or self.magnitude else "score(weights)"
        self.axes = as_axes(axes, self.array.ndim, "weights")
        self.layout = TileLayout(self.array.shape, self.axes, self.pattern.tile_shape)
        _warn_of_kernels(self.layout)
        stack = self.layout.stack_shape
        self.mask = np.zeros(self.array.shape, dtype=np.bool_)
        self.objective = np.zeros(stack)
        self.gaps = np.zeros(stack)
        self.tight = np.ones(stack, dtype=np.bool_)
        self.short = np.zeros(stack, dtype=np.bool_)
        self.bounded = True
        self.potentials: tuple[Scores, Scores] | None = None
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()

    def keep_potentials(self) -> None:
        h, w = self.layout.tile
        stack = self.layout.stack_shape
        self.potentials = np.zeros((*stack, h)), np.zeros((*stack, w))

    def count(self, numbers: Mapping[str, float]) -> None:
        """Add to the statistics; the boxes of one problem are solved by several threads."""
        with self.lock:
            self.counts.update(numbers)

    def at_most(self, box: Box) -> bool:
        return self.pattern.at_most or box.partial

    def scores(self, box: Box) -> Scores:
        """Read a box as float64 scores ``(t, h, w)``; raise if one is not finite."""
        tiles = self.layout.gather(self.array, box, np.float64)
        if self.magnitude:
            np.abs(tiles, out=tiles)
        if not finite_scores(tiles):
            raise refuse_scores(self.array, self.score_name)
        return tiles

    def record(self, box: Box, scores: Scores, found: TileSolution) -> None:
        """Keep what a method found for a box, with the gap that its proof leaves."""
        n, at_most, index = self.pattern.n, self.at_most(box), box.index
        mask, u, v = found.mask, found.row_potentials, found.column_potentials
        self.layout.scatter(self.mask, box, mask)
        self.objective[index] = kept_scores(scores, mask).reshape(box.shape)
        if not at_most:
            self.short[index] = lines_short(mask, n).reshape(box.shape)
        if u is not None and v is not None:
            gaps = tile_gaps(scores, mask, u, v, n, at_most)
            if self.potentials is not None:
                self.potentials[0][index] = u.reshape(*box.shape, -1)
                self.potentials[1][index] = v.reshape(*box.shape, -1)
        elif found.loss_bound is not None:
            gaps = found.loss_bound
        else:
            self.bounded = False
            return
        self.gaps[index] = gaps.reshape(box.shape)
        self.tight[index] = proven(scores, mask, gaps).reshape(box.shape)

    def run(self, work: Callable[[Box], None], progress: Progress) -> None:
        for_each_box(self.layout, work, threads=self.threads, progress=progress)

    def verdict(self) -> dict[str, Any]:
        """Give the fields of `Certificate`."""
        if self.short.any():
            status = Status.UNDERFILLED
        elif self.bounded and self.tight.all():
            status = Status.OPTIMAL
        else:
            status = Status.FEASIBLE
        objective = float(self.objective.sum())
        per_tile = self.layout.per_tile
        u, v = self.potentials or (None, None)
        bounds = self.objective + self.gaps if self.bounded else None
        return {
            "objective": objective,
            "upper_bound": objective + float(self.gaps.sum()) if self.bounded else None,
            "status": status,
            "tiles": TileResults(
                per_tile(self.objective),
                None if bounds is None else per_tile(bounds),
                None if u is None else per_tile(u),
                None if v is None else per_tile(v),
            ),
            "pattern": self.pattern,
            "axes": self.axes,
        }

    def result(self, method: str) -> MaskResult:
        stats = {
            "seconds": time.perf_counter() - self.started,
            "threads": self.threads,
            "tiles": self.layout.tiles,
            "short_tiles": int(self.short.sum()),
            **self.counts,
        }
        return MaskResult(**self.verdict(), mask=self.mask, method=method, stats=stats)


def solve(
    weights: ArrayLike,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    score: ScoreFunction | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    warm_start: MaskResult | None = None,
    certify: bool = False,
    potentials: bool = False,
    threads: int | None = None,
    progress: Progress = False,
) -> MaskResult:
    r"""Find the mask of an N:M pattern that keeps the most score.

    Per m x m tile with scores :math:`s` a transposable pattern asks for

    .. math::

        \max \sum_{ij} s_{ij} x_{ij}, \quad \sum_j x_{ij} = n, \quad
        \sum_i x_{ij} = n, \quad x_{ij} \in \{0, 1\}

    (:math:`\le n` for ``at_most`` and in the partial tiles of a shape that is not a
    multiple of m); a plain pattern drops the condition on columns.

    Parameters
    ----------
    weights : array_like, at least 2-D
        float16, bfloat16 and float8 (through ml_dtypes), float32, float64 or integers
        up to 2**53; read-only and strided views welcome; never modified.
    pattern : Pattern or str
        For example ``"2:4"``, ``"4:8,at-most"``, ``"2:4,plain"``.
    method : str
        A name in `METHODS`.
    score : callable or None
        Turns the weights into scores of the same shape; None: they are scores
        already, of any sign.
    axes : tuple of int
        The (output, input) axes of the matrix that is multiplied; the others are a
        batch. A convolution (out, in, kh, kw) takes ``axes=(0, 1)``.
    warm_start : MaskResult, optional
        An earlier result for the same shape, axes and pattern, solved with
        ``potentials=True``: where to start from. The proof does not rest on it.
    certify : bool
        Prove an upper bound for a method that has none of its own (at the cost of
        an exact solve).
    potentials : bool
        Keep the dual variables in ``result.tiles``.
    threads : int, optional
        Default: every core. The mask does not depend on it.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (tiles done, tiles in all).

    Returns
    -------
    MaskResult
        ``status`` is OPTIMAL if every tile is proven to 1e-12 of its score.

    Raises
    ------
    InvalidInput
        For NaN or infinite scores (naming the first), fewer than two dimensions, bad
        axes or dtype, a warm start that does not fit.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.

    Notes
    -----
    Equal scores are settled by each method's documented rule, which depends on the
    tile alone. See the guide on the problem and its certificate for the proof.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.array([[4, 1, 0, 2], [3, 5, 1, 0], [0, 1, -6, 2], [1, 0, 2, 7]])
    >>> r = solve(weights, "1:4")
    >>> r.mask.astype(int)
    array([[1, 0, 0, 0],
           [0, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])
    >>> r.objective, r.upper_bound, r.status
    (22.0, 22.0, <Status.OPTIMAL: 'optimal'>)
    """
    problem = _Problem(weights, pattern, score, axes, threads)
    chosen = find_method(method, problem.pattern)
    start = None if warm_start is None else _start_of(warm_start, problem)
    if not (chosen.warm or warm_start is None):
        raise InvalidInput(f"method {method!r} makes no use of warm_start")
    if potentials:
        if not (certify or method == "exact"):
            raise InvalidInput(f"method {method!r} has no potentials: ask for certify=True too")
        problem.keep_potentials()

    def work(box: Box) -> None:
        scores = problem.scores(box)
        n, at_most = problem.pattern.n, problem.at_most(box)
        begin = None if start is None else start[box.index].reshape(len(scores), -1)
        found = chosen.solve_tiles(scores, n, at_most, begin)
        problem.count(found.counts)
        if certify and found.row_potentials is None:
            found = _with_proof(scores, found.mask, n, at_most)
        problem.record(box, scores, found)

    problem.run(work, progress)
    return problem.result(method)


def certify(
    weights: ArrayLike,
    mask: ArrayLike,
    pattern: Pattern | str,
    *,
    score: ScoreFunction | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    potentials: bool = False,
    threads: int | None = None,
    progress: Progress = False,
) -> Certificate:
    """Judge any mask, wherever it comes from, against a proven bound.

    Potentials are found by the exact method; the bound that they prove is computed
    from them by `masksolve.certificate`, which shares no code with any solver.

    Parameters
    ----------
    weights : array_like, at least 2-D
        As for `solve`.
    mask : array_like of bool, or of 0 and 1, of the same shape
        No line may keep more than n. Short lines are judged all the same, with status
        UNDERFILLED; the bound then speaks of the masks that fill them.
    pattern, score, axes, potentials, threads, progress
        As for `solve`.

    Returns
    -------
    Certificate

    Raises
    ------
    MaskViolation
        If a line keeps more than n.
    InvalidInput, InvalidPattern
        If the arguments are not what they should be.

    Examples
    --------
    >>> import numpy as np
    >>> c = certify(np.array([[3.0, 1.0], [1.0, 2.0]]), [[0, 1], [1, 0]], "1:2")
    >>> c.objective, c.upper_bound, c.gap, c.status
    (2.0, 5.0, 3.0, <Status.FEASIBLE: 'feasible'>)
    """
    problem = _Problem(weights, pattern, score, axes, threads)
    given = _mask_of(mask, problem)
    if potentials:
        problem.keep_potentials()

    def work(box: Box) -> None:
        scores = problem.scores(box)
        tiles = problem.layout.gather(given, box, np.bool_)
        found = _with_proof(scores, tiles, problem.pattern.n, problem.at_most(box))
        problem.record(box, scores, found)

    problem.run(work, progress)
    return Certificate(**problem.verdict())


def repair(
    weights: ArrayLike,
    mask: ArrayLike,
    pattern: Pattern | str,
    *,
    score: ScoreFunction | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    threads: int | None = None,
    progress: Progress = False,
) -> MaskResult:
    """Fill up the short lines of a mask, without lowering the score where that can be.

    Short rows and columns are joined by the heaviest free entry, or the best exchange
    where there is none. A tile that loses by it is solved exactly instead. Short
    lines can score more than every mask that fills them (3 % of greedy's 2:4 tiles on
    normal weights, none at 8:16); the optimum is taken there,
    ``stats["lowered_tiles"]`` counts such tiles and ``stats["lowered_score"]`` says
    what they lost.

    Parameters
    ----------
    weights, score, axes, threads, progress
        As for `solve`.
    mask : array_like of bool, or of 0 and 1, of the same shape
        No line may keep more than n.
    pattern : Pattern or str
        Lines of at-most patterns and of partial tiles are never short: nothing is
        changed there.

    Returns
    -------
    MaskResult
        Of method ``"repair"``, never UNDERFILLED, without a bound.

    Raises
    ------
    MaskViolation
        If a line keeps more than n.
    InvalidInput, InvalidPattern
        If the arguments are not what they should be.

    Examples
    --------
    >>> import numpy as np
    >>> r = repair(np.array([[5.0, 4.0], [4.0, 0.0]]), [[0, 1], [0, 0]], "1:2")
    >>> r.mask.astype(int)
    array([[0, 1],
           [1, 0]])
    """
    problem = _Problem(weights, pattern, score, axes, threads)
    given = _mask_of(mask, problem)
    exact = METHODS["exact"].solve_tiles
    n = problem.pattern.n

    def work(box: Box) -> None:
        from masksolve.kernels.repair import fill_lines

        scores = problem.scores(box)
        tiles = problem.layout.gather(given, box, np.bool_)
        if not problem.at_most(box):
            before, steps = kept_scores(scores, tiles), 0
            if problem.pattern.transposable:
                steps = fill_lines(scores, n, tiles)
                again = kept_scores(scores, tiles) < before
            else:
                again = lines_short(tiles, n)
            if again.any():
                tiles[again] = exact(scores[again], n, False).mask
            lost = np.maximum(before - kept_scores(scores, tiles), 0.0)
            problem.count(
                {
                    "steps": steps,
                    "lowered_tiles": int(np.count_nonzero(lost)),
                    "lowered_score": float(lost.sum()),
                }
            )
        problem.record(box, scores, TileSolution(tiles))

    problem.run(work, progress)
    return problem.result("repair")


def _warn_of_kernels(layout: TileLayout) -> None:
    """Say so where the axes look like a convolution's kernel: nothing would be pruned."""
    (h, w), (rows, columns) = layout.tile, layout.matrix_shape
    if len(layout.shape) > 2 and 0 < rows < w and 0 < columns < w and h > 1:
        warnings.warn(
            f"matrices along axes {layout.axes} of shape {layout.shape} are smaller than one "
            f"{h} x {w} tile; for a convolution (out, in, ...) pass axes=(0, 1)",
            stacklevel=4,
        )


def _with_proof(scores: Scores, mask: NDArray[np.bool_], n: int, at_most: bool) -> TileSolution:
    best = METHODS["exact"].solve_tiles(scores, n, at_most)
    return TileSolution(mask, best.row_potentials, best.column_potentials)


def _mask_of(mask: ArrayLike, problem: _Problem) -> NDArray[np.bool_]:
    """Validate a mask from outside: same shape as the weights, no line over-full."""
    found = as_mask(mask)
    if found.shape != problem.array.shape:
        raise InvalidInput(
            f"mask has shape {found.shape}: expected that of weights, {problem.array.shape}"
        )
    pattern = problem.pattern
    most = Pattern(pattern.n, pattern.m, transposable=pattern.transposable, at_most=True)
    check_mask(found, most, axes=problem.axes)
    return found


def _start_of(earlier: MaskResult, problem: _Problem) -> Scores:
    """Column potentials of an earlier result, in the layout of the stack."""
    if not isinstance(earlier, MaskResult):
        raise InvalidInput(f"warm_start must be a MaskResult, got {type(earlier).__name__}")
    mine = (problem.pattern, problem.array.shape, problem.axes)
    theirs = (earlier.pattern, earlier.mask.shape, earlier.axes)
    for name, a, b in zip(("pattern", "shape", "axes"), theirs, mine, strict=True):
        if a != b:
            raise InvalidInput(f"warm_start has {name} {a}: expected {b}")
    v = earlier.tiles.column_potentials
    if v is None:
        raise InvalidInput("warm_start holds no potentials: solve it with potentials=True")
    return v.reshape(*problem.layout.stack_shape, -1)
