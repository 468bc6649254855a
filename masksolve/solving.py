"""Solve, certify, repair: validate, cut into tiles, run a method, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

from masksolve.certificate import kept_scores
from masksolve.checks import lines_short, refuse_violation
from masksolve.errors import InvalidInput
from masksolve.inputs import ScoreFunction
from masksolve.pattern import Pattern
from masksolve.plain import judge_plain, solve_plain, takes_lines
from masksolve.problem import Problem, warn_of_kernels
from masksolve.result import Certificate, MaskResult
from masksolve.scores import own_space
from masksolve.solvers import METHODS, MatrixSolution, Method, TileSolution, as_options, find_method
from masksolve.starts import PotentialStart, as_start, mask_for
from masksolve.tasks import Task
from masksolve.threads import Progress
from masksolve.tiles import Box

__all__ = ["certify", "repair", "solve", "solve_problem", "task_of"]


def solve(
    weights: ArrayLike,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    score: ScoreFunction | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    warm_start: MaskResult | ArrayLike | None = None,
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
    options : mapping of str to float, optional
        Parameters of the method other than their defaults; ``METHODS[method].options``
        has their names and meanings.
    score : callable or None
        Turns the weights into scores of the same shape; None: they are scores
        already, of any sign.
    axes : tuple of int
        The (output, input) axes of the matrix that is multiplied; the others are a
        batch. A convolution (out, in, kh, kw) takes ``axes=(0, 1)``.
    warm_start : MaskResult or array_like of bool, optional
        Where to start from. For ``exact`` an earlier result for the same shape, axes and
        pattern, solved with ``potentials=True``; the proof does not rest on it. For
        ``local_search`` any mask of the shape, or a result with one, whose lines keep at
        most n.
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
        axes or dtype, an option that the method does not take, a warm start that does
        not fit.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.
    MaskViolation
        If a line of a mask to start from keeps more than n.

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
    problem = Problem(weights, pattern, score, axes, threads, potentials)
    warn_of_kernels(problem.layout)
    return solve_problem(
        problem,
        method=method,
        options=options,
        warm_start=warm_start,
        certify=certify,
        progress=progress,
    )


def solve_problem(
    problem: Problem,
    *,
    method: str,
    options: Mapping[str, float] | None = None,
    warm_start: MaskResult | ArrayLike | None = None,
    certify: bool = False,
    progress: Progress = False,
) -> MaskResult:
    """Do what `solve` does, for weights that may be a part of some others."""
    return task_of(problem, method, options, warm_start, certify).run(progress).result()


def task_of(
    problem: Problem,
    method: str,
    options: Mapping[str, float] | None = None,
    warm_start: MaskResult | ArrayLike | None = None,
    certify: bool = False,
) -> Task:
    """Make ready what `solve_problem` does."""
    chosen = find_method(method, problem.pattern)
    given = as_options(method, chosen.options, options)
    start = as_start(warm_start, chosen, problem)
    if problem.potentials is not None and not (certify or method == "exact"):
        raise InvalidInput(f"method {method!r} has no potentials: ask for certify=True too")
    matrix, lines = _takes_matrices(chosen, problem.pattern), takes_lines(chosen, problem)

    def work(box: Box) -> None:
        if matrix and not box.partial:
            assert start is None or isinstance(start, PotentialStart)
            _solve_matrix(problem, chosen, box, start)
            return
        if lines and not box.partial:
            solve_plain(problem, chosen, box)
            return
        scores = problem.tiles(box)
        n, at_most = problem.pattern.n, problem.at_most(box)
        begin = None if start is None else start.tiles(box)
        found = chosen.solve_tiles(scores, n, at_most, begin, **given)
        if certify and found.row_potentials is None:
            found = _with_proof(scores, found, n, at_most)
        problem.record(box, scores, found)

    return Task(problem, work, matrix or lines, method)


def _takes_matrices(method: Method, pattern: Pattern) -> bool:
    return method.solve_matrix is not None and pattern.transposable and pattern.n < pattern.m


def _solve_matrix(problem: Problem, method: Method, box: Box, start: PotentialStart | None) -> None:
    """Solve a box of full tiles where it lies, its mask written in place if it can be."""
    matrix = problem.matrix(box)
    window = problem.layout.window(problem.mask, box)
    in_place = window.ndim == 2 and window.strides[1] == 1
    mask = window if in_place else np.empty(matrix.shape, dtype=np.bool_)
    proof = None if problem.potentials is None else np.empty((2, box.tiles, problem.pattern.m))
    found = _run_matrix(problem, method, box, start, matrix, mask, proof)
    problem.record_matrix(box, None if in_place else mask.reshape(window.shape), found)


def _run_matrix(
    problem: Problem,
    method: Method,
    box: Box,
    start: PotentialStart | None,
    matrix: NDArray[Any],
    mask: NDArray[np.bool_],
    proof: NDArray[np.float64] | None,
) -> MatrixSolution:
    """Run a matrix solver from potentials and the mask they were for, if there are any.

    It writes potentials to `proof`, (2, t, m).
    """
    assert method.solve_matrix is not None
    n, m, at_most = problem.pattern.n, problem.pattern.m, problem.pattern.at_most
    begin = None if start is None else start.tiles(box)
    old = None if start is None else start.mask(box)
    magnitude = problem.scores.magnitude
    uv = None if proof is None else (proof[0], proof[1])
    found = method.solve_matrix(matrix, magnitude, n, m, at_most, mask, begin, old, uv)
    if found is None:
        raise problem.scores.refusal()
    return found


def certify(
    weights: ArrayLike,
    mask: ArrayLike,
    pattern: Pattern | str,
    *,
    score: ScoreFunction | None = np.abs,
    axes: tuple[int, int] = (-2, -1),
    warm_start: MaskResult | None = None,
    plain: bool = False,
    potentials: bool = False,
    threads: int | None = None,
    progress: Progress = False,
) -> Certificate:
    """Judge any mask, wherever it comes from, against a proven bound.

    Potentials are found by the exact method; the bound that they prove is computed from
    them, in float64, by code that shares nothing with any solver: compiled, so that it
    costs one to three times what solving does (about five for plain patterns, which are solved
    in little more than a pass over memory), or with ``plain`` by the NumPy of
    `masksolve.certificate`.

    Parameters
    ----------
    weights : array_like, at least 2-D
        As for `solve`.
    mask : array_like of bool, or of 0 and 1, of the same shape
        No line may keep more than n. Short lines are judged all the same, with status
        UNDERFILLED; the bound then speaks of the masks that fill them.
    plain : bool
        Do the sums in plain NumPy instead: slower, and easy to check by reading.
    pattern, score, axes, warm_start, potentials, threads, progress
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
    problem = Problem(weights, pattern, score, axes, threads, potentials)
    warn_of_kernels(problem.layout)
    given = mask_for(mask, problem.shape)
    problem.judge(given)
    start = None if warm_start is None else PotentialStart(warm_start, problem)
    exact = METHODS["exact"]
    matrix = _takes_matrices(exact, problem.pattern) and not plain
    lines = takes_lines(exact, problem) and not plain

    def work(box: Box) -> None:
        if matrix and not box.partial:
            _judge_matrix(problem, given, box, start)
            return
        if lines and not box.partial:
            judge_plain(problem, exact, given, box)
            return
        refuse_violation(given, problem.layout, problem.pattern, [box], short=False)
        scores = problem.tiles(box)
        tiles = TileSolution(problem.layout.gather(given, box, np.bool_))
        n, at_most = problem.pattern.n, problem.at_most(box)
        begin = None if start is None else start.tiles(box)
        found = _with_proof(scores, tiles, n, at_most, begin)
        problem.record(box, scores, found)

    Task(problem, work, matrix or lines).run(progress)
    return Certificate(**problem.verdict())


def _judge_matrix(
    problem: Problem, given: NDArray[np.bool_], box: Box, start: PotentialStart | None
) -> None:
    """Judge a box of full tiles by its potentials, all compiled."""
    from masksolve.kernels.judge import judge_matrix

    n, m, at_most = problem.pattern.n, problem.pattern.m, problem.pattern.at_most
    magnitude = problem.scores.magnitude
    matrix = problem.matrix(box)
    row = own_space("mask", matrix.shape[1], np.bool_)
    unread = as_strided(row, matrix.shape, (0, 1))  # the mask: its rows cost nothing in one place
    proof = own_space("proof", 2 * box.tiles * m, np.float64).reshape(2, -1, m)
    best = _run_matrix(problem, METHODS["exact"], box, start, matrix, unread, proof)
    u, v = proof
    mask = np.ascontiguousarray(problem.layout.window(given, box)).reshape(matrix.shape)
    kept, gaps, scale = own_space("verdict", 3 * box.tiles, np.float64).reshape(3, -1)
    lines = np.zeros(2, dtype=np.int64)
    judge_matrix(matrix, magnitude, mask.view(np.int8), u, v, n, at_most, kept, gaps, scale, lines)
    if lines[0]:
        refuse_violation(given, problem.layout, problem.pattern, [box], short=False)
    problem.record_judged(box, best, kept, gaps, scale, 0 if at_most else int(lines[1]))


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
    problem = Problem(weights, pattern, score, axes, threads)
    warn_of_kernels(problem.layout)
    given = mask_for(mask, problem.shape)
    refuse_violation(given, problem.layout, problem.pattern, short=False)
    exact = METHODS["exact"].solve_tiles
    n = problem.pattern.n

    def work(box: Box) -> None:
        from masksolve.kernels.repair import fill_lines

        scores = problem.tiles(box)
        tiles = problem.layout.gather(given, box, np.bool_)
        counts = {"steps": 0, "lowered_tiles": 0, "lowered_score": 0.0}
        if not problem.at_most(box):
            before = kept_scores(scores, tiles)
            if problem.pattern.transposable:
                counts["steps"] = fill_lines(scores, n, False, tiles)
                again = kept_scores(scores, tiles) < before
            else:
                again = lines_short(tiles, n)
            if again.any():
                tiles[again] = exact(scores[again], n, False).mask
                lost = np.maximum(before - kept_scores(scores, tiles), 0.0)
                counts["lowered_tiles"] = int(np.count_nonzero(lost))
                counts["lowered_score"] = float(lost.sum())
        problem.record(box, scores, TileSolution(tiles, counts=counts))

    return Task(problem, work, method="repair").run(progress).result()


def _with_proof(
    scores: NDArray[np.float64],
    found: TileSolution,
    n: int,
    at_most: bool,
    start: NDArray[np.float64] | None = None,
) -> TileSolution:
    """Put the exact method's potentials, which prove a bound on any mask, to a mask."""
    best = METHODS["exact"].solve_tiles(scores, n, at_most, start)
    return TileSolution(
        found.mask, best.row_potentials, best.column_potentials, counts=found.counts
    )
