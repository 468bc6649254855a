"""Plain N:M, box by box: lines solved and judged where they lie, across or down."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.checks import refuse_violation
from masksolve.problem import Problem
from masksolve.solvers import MatrixSolution, Method
from masksolve.tiles import Box

__all__ = ["judge_plain", "solve_plain", "takes_lines"]


def takes_lines(method: Method, problem: Problem) -> bool:
    """Tell whether a method solves a problem's lines in place."""
    return method.solve_lines is not None and not problem.pattern.transposable


def solve_plain(problem: Problem, method: Method, box: Box) -> None:
    """Solve a box of full lines, its mask written in place if it can be."""
    matrix = problem.matrix(box)
    window = _turned(problem, problem.layout.window(problem.mask, box))
    in_place = window.ndim == 2 and window.strides[1] == 1
    mask = window if in_place else np.empty(matrix.shape, dtype=np.bool_)
    found = _run(problem, method, box, matrix, mask, problem.potentials is not None)
    put = None if in_place else _turned(problem, mask.reshape(window.shape))
    problem.record_matrix(box, put, found)


def judge_plain(problem: Problem, method: Method, given: NDArray[np.bool_], box: Box) -> None:
    """Judge a mask in a box of full lines by their potentials, all compiled."""
    from masksolve.kernels.judge_lines import judge_lines

    n, at_most, magnitude = problem.pattern.n, problem.pattern.at_most, problem.scores.magnitude
    matrix = problem.matrix(box)
    scratch = np.empty(matrix.shape, dtype=np.bool_)
    best = _run(problem, method, box, matrix, scratch, True)
    u = best.row_potentials
    assert u is not None
    window = _turned(problem, problem.layout.window(given, box))
    mask = np.ascontiguousarray(window).reshape(matrix.shape)
    lines, flags = _lines(problem, matrix, mask)
    kept, gaps, scale = (np.empty(lines.shape[:2]) for _ in range(3))
    counts = np.zeros(2, dtype=np.int64)
    u = _by_run(problem, box, u).reshape(kept.shape)
    judge_lines(lines, magnitude, flags.view(np.int8), u, n, at_most, kept, gaps, scale, counts)
    if counts[0]:
        refuse_violation(given, problem.layout, problem.pattern, [box], short=False)
    kept, gaps, scale = (_by_tile(problem, box, found) for found in (kept, gaps, scale))
    problem.record_judged(box, best, kept, gaps, scale, 0 if at_most else int(counts[1]))


def _run(
    problem: Problem,
    method: Method,
    box: Box,
    matrix: NDArray[Any],
    mask: NDArray[np.bool_],
    potentials: bool,
) -> MatrixSolution:
    """Run a line solver; its potentials come in the order of tiles."""
    assert method.solve_lines is not None
    n, at_most = problem.pattern.n, problem.pattern.at_most
    lines, flags = _lines(problem, matrix, mask)
    found = method.solve_lines(lines, problem.scores.magnitude, n, at_most, flags, potentials)
    if found is None:
        raise problem.scores.refusal()
    if found.row_potentials is None:
        return found
    return found._replace(row_potentials=_by_tile(problem, box, found.row_potentials)[:, None])


def _turned(problem: Problem, window: NDArray[Any]) -> NDArray[Any]:
    """Turn what a layout cuts out so that entries of a row are adjacent, or turn it back."""
    return window.swapaxes(-2, -1) if problem.down else window


def _lines(
    problem: Problem, matrix: NDArray[Any], mask: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Show a matrix and its mask as runs of lines, ``(runs, lines, m)``."""
    m, (high, wide) = problem.pattern.m, matrix.shape
    if problem.down:  # lines of a run are one entry apart
        shape = (high // m, m, wide)
        return matrix.reshape(shape).swapaxes(1, 2), mask.reshape(shape).swapaxes(1, 2)
    whole = matrix.flags.c_contiguous and mask.flags.c_contiguous
    shape = (1, matrix.size // m, m) if whole else (high, wide // m, m)
    return matrix.reshape(shape), mask.reshape(shape)


def _by_tile(problem: Problem, box: Box, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put one number a line, ``(runs, lines)``, in the order of the box's tiles."""
    if not problem.down:
        return values.reshape(-1)
    matrices, lines, runs = box.shape
    return values.reshape(matrices, runs, lines).swapaxes(1, 2).reshape(-1)


def _by_run(problem: Problem, box: Box, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo `_by_tile`."""
    if not problem.down:
        return values
    matrices, lines, runs = box.shape
    return values.reshape(matrices, lines, runs).swapaxes(1, 2)
