"""Proven optima: over-relaxed thresholds in SIMD lanes, augmenting paths for the rest."""

from __future__ import annotations

from functools import cache
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import MatrixSolution, Method, TileSolution

__all__ = ["METHOD", "solve_lines", "solve_matrix", "solve_tiles", "tie_noise"]


def solve_matrix(
    matrix: NDArray[Any],
    magnitude: bool,
    n: int,
    m: int,
    at_most: bool,
    mask: NDArray[np.bool_],
    start: NDArray[np.float64] | None = None,
    old: NDArray[np.bool_] | None = None,
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> MatrixSolution | None:
    """Solve every m x m tile of a matrix in place; see `MatrixSolver`.

    Equal scores: a tile that the rounds prove with every comparison strict has one
    optimum only. In the others each score is raised by `tie_noise` times the spread of
    the tile's scores, which decides between equal ones by position alone; the optimum so
    found is proven for the scores as they are. Where even that fails (of int8 weights one
    tile in 200 at 8:16, one in 14 at 16:32) the order of the path search decides. In every
    case the mask depends on the tile alone, and on `start`.
    """
    rows, columns = matrix.shape
    tiles = (rows // m) * (columns // m)
    double = matrix.dtype == np.float64
    u, v = potentials or (np.empty((0, m)), np.empty((0, m)))
    solve_box, space_for = _engine(n, m, double, at_most, start is not None, potentials is not None)
    space = space_for(m, tiles, double)
    objective = solve_box(
        matrix,
        magnitude,
        at_most,
        np.empty((0, m)) if start is None else start,
        np.empty((0, m), dtype=np.int8) if old is None else old.view(np.int8),
        tie_noise(m),
        mask.view(np.int8),
        u,
        v,
        space,
    )
    if isnan(objective):
        return None
    rounds, more_rounds, ties, paths, augmentations, unproven, still_open = space.counts.tolist()
    return MatrixSolution(
        objective,
        space.open_tiles[:still_open].copy(),
        space.open_gaps[:still_open].copy(),
        u if potentials else None,
        v if potentials else None,
        optimal=unproven == 0,
        counts={
            "tiles_by_rounds" if start is None else "tiles_by_warm_start": rounds,
            "tiles_by_more_rounds": more_rounds,
            "tiles_by_ties": ties,
            "tiles_by_paths": paths,
            "augmentations": augmentations,
        },
    )


@cache
def _engine(
    n: int, m: int, double: bool, at_most: bool, warm: bool, potentials: bool
) -> tuple[Any, Any]:
    """Return what is compiled for a pattern, and what allocates the scratch that it takes."""
    # numba takes longer to import than all else together: only when solving.
    from masksolve.kernels.engine import box_solver
    from masksolve.kernels.workspace import own_workspace

    return box_solver(n, m, double, at_most, warm, potentials), own_workspace


def solve_lines(
    lines: NDArray[Any],
    magnitude: bool,
    n: int,
    at_most: bool,
    mask: NDArray[np.bool_],
    potentials: bool = False,
) -> MatrixSolution | None:
    """Solve every line of a plain pattern in place; see `LineSolver`.

    Among equal scores a line prefers the entry that comes first.
    """
    from masksolve.kernels.plain import line_solver, line_space

    runs, across, m = lines.shape
    double = lines.dtype == np.float64
    columns = lines.strides[1:] != (m * lines.itemsize, lines.itemsize)
    u = np.empty((runs if potentials else 0, across))
    objective, proven = line_solver(n, m, double, columns)(
        lines, magnitude, at_most, mask.view(np.int8), u, line_space(m, double)
    )
    if np.isnan(objective):
        return None
    return MatrixSolution(
        objective,
        # Were a threshold not to prove its line, nothing would be known of the bound.
        np.zeros(0 if proven else 1, dtype=np.int64),
        np.full(0 if proven else 1, np.inf),
        u if potentials else None,
        np.broadcast_to(0.0, (runs * across, m)) if potentials else None,
        optimal=proven,
        counts={},
    )


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[np.float64] | None = None
) -> TileSolution:
    """Find an optimal mask of each tile, and potentials that prove it.

    The tie rule is that of `solve_matrix`; a line of plain N:M prefers the entry that
    comes first, and so does a row of n = m.
    """
    tiles, h, w = scores.shape
    mask = np.empty(scores.shape, dtype=np.bool_)
    if h > 1 and n < w:
        return _stacked(scores, n, at_most, mask, start)
    from masksolve.kernels.augment import augment_tiles, search_space
    from masksolve.kernels.select import select_lines

    u, v = np.empty((tiles, h)), np.zeros((tiles, w))
    if h == 1:  # plain N:M: every line for itself
        select_lines(scores[:, 0], n, at_most, mask[:, 0], u[:, 0])
        return TileSolution(mask, u, v)
    paths = augment_tiles(scores, n, at_most, mask, u, v, search_space(w))
    return TileSolution(mask, u, v, counts={"augmentations": paths})


def _stacked(
    scores: NDArray[np.float64],
    n: int,
    at_most: bool,
    mask: NDArray[np.bool_],
    start: NDArray[np.float64] | None,
) -> TileSolution:
    """Solve tiles one above the other as a matrix, in single precision if that is exact."""
    m = scores.shape[-1]
    proof = np.empty((len(scores), m)), np.empty((len(scores), m))
    with np.errstate(over="ignore"):
        single = scores.astype(np.float32)
    entries = single if np.array_equal(single, scores) else scores
    found = solve_matrix(
        entries.reshape(-1, m), False, n, m, at_most, mask.reshape(-1, m), start, None, proof
    )
    assert found is not None, "scores are finite here"
    return TileSolution(mask, found.row_potentials, found.column_potentials, None, found.counts)


@cache
def tie_noise(m: int) -> NDArray[np.float32]:
    """Return the fixed noise by which equal scores are settled, one number a position.

    Position k = i m + j of every tile gets splitmix64(k + 1), scaled to [0, 8e-5): small
    against the grids of bfloat16, float8 and int8, large against float32's.

    Returns
    -------
    ndarray of float32, shape (m * m,)

    Examples
    --------
    >>> noise = tie_noise(4)
    >>> len(set(noise.tolist())), bool((noise < 8e-5).all())
    (16, True)
    """
    with np.errstate(over="ignore"):
        z = (np.arange(m * m, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    noise: NDArray[np.float32] = ((z >> np.uint64(11)) * (2.0**-53 * 8e-5)).astype(np.float32)
    noise.setflags(write=False)
    return noise


METHOD = Method(
    name="exact",
    exact=True,
    guarantee="kept score is the optimum, proven by a dual bound for every tile",
    reference="ours: over-relaxed dual coordinate descent, then shortest augmenting paths; "
    "the problem is the b-matching of Hubara et al. 2021, arXiv:2102.08124",
    solve_tiles=solve_tiles,
    solve_matrix=solve_matrix,
    solve_lines=solve_lines,
    plain=True,
    warm="potentials",
)
