"""Entropic optimal transport, rounded: TSENOR, its parameters explicit and scale-free."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution
from masksolve.solvers.options import Option

__all__ = ["METHOD", "solve_tiles"]


def solve_tiles(
    scores: NDArray[np.float64],
    n: int,
    at_most: bool,
    start: NDArray[Any] | None = None,
    *,
    sharpness: float,
    doublings: int,
    rounds: int,
    tolerance: float,
) -> TileSolution:
    """Find a fractional plan by Dykstra's projections, round it, fill short lines.

    From the paper: the projections of exp(sharpness * score) onto the rows' sums, the
    columns' sums and x <= 1 in turn; keeping from heavy to light by plan; exchanges for
    the lines that end short, each the best one by score.

    Ours: the sharpness counts in units of the tile's largest magnitude and doubles as it
    goes; a tile stops when it is within the tolerance; sixteen tiles share the vector
    registers; for exactly-n every short line is filled, if need be by an exchange that
    loses score (the paper's must gain, and so do those for at-most-n); for at-most-n
    potentials are held at 0 or above, and only positive scores are kept.

    Equal plans go in row-major order. ``counts["rounds"]`` adds up the rounds of all
    tiles, those counted in which a tile waited for its fifteen neighbours.
    """
    from masksolve.kernels.entropic import project_tiles, round_plans
    from masksolve.kernels.repair import fill_lines

    plans = np.empty(scores.shape)
    mask = np.empty(scores.shape, dtype=np.bool_)
    spent = project_tiles(scores, n, at_most, sharpness, doublings, rounds, tolerance, plans)
    round_plans(scores, plans, n, at_most, mask)
    steps = fill_lines(scores, n, at_most, mask)
    return TileSolution(mask, counts={"rounds": spent, "exchanges": steps})


METHOD = Method(
    name="entropic",
    exact=False,
    guarantee="kept score without a bound, but no line ends short, and scores times a power "
    "of two give the same mask",
    reference="TSENOR of Meng, Makni and Mazumder 2025, arXiv:2505.23949: entropic optimal "
    "transport by Dykstra's projections, greedy rounding, exchanges",
    solve_tiles=solve_tiles,
    options={
        "sharpness": Option(
            160.0,
            "inverse temperature at the end, relative to a tile's largest magnitude",
            1.0,
            300.0,
        ),
        "doublings": Option(
            3, "times that the sharpness is doubled on the way; 0: fixed, as in the paper", 0, 16
        ),
        "rounds": Option(200, "most rounds of projections in all", 0, 1_000_000),
        "tolerance": Option(
            0.001, "stop when no row or column is further than this share from its sum", 0.0, 1.0
        ),
    },
)
