"""Linear programming by SciPy's HiGHS.

The equations of rows and columns are totally unimodular: the corners of the linear
program are masks, and the simplex method ends at a corner. So `linprog` is enough. `milp`
on binary variables finds the same in two to three times the time; by default it would also
stop at a relative gap of 1e-4.

One sparse, block-diagonal program of about two thousand variables holds many tiles. In
2:4 that is ten times as fast as a program a tile, in 16:32 just as fast; larger programs
are slower again. Presolve is off: it finds nothing here and takes a third of the time. The
interior-point method took a third longer than the simplex. Threads gained nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant
from .scaling import scaled

__all__ = ["highs"]

VARIABLES = 2048
BITS = 20
"""Scores up to 2**20, far above HiGHS' absolute tolerances of 1e-7."""


@contestant(
    name="SciPy HiGHS",
    reference="the linear program, scipy.optimize.linprog with HiGHS' dual simplex",
    exact=True,
    needs=("scipy",),
    quirks="many tiles in one block-diagonal program, without presolve; one core",
)
def highs(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Solve linear programs of many tiles each, each tile scaled to HiGHS' tolerances."""
    from scipy import sparse
    from scipy.optimize import linprog

    tiles, m, _ = scores.shape
    step = max(1, VARIABLES // m**2)
    ones, eye = np.ones((1, m)), sparse.eye_array(m)
    lines = sparse.vstack([sparse.kron(eye, ones), sparse.kron(ones, eye)])
    masks = np.empty(scores.shape, dtype=np.bool_)
    equations = None
    for first in range(0, tiles, step):
        part = scaled(scores[first : first + step], BITS)
        if equations is None or equations.shape[1] != part.size:
            equations = sparse.kron(sparse.eye_array(len(part)), lines, format="csc")
        found = linprog(
            -part.ravel(),
            A_eq=equations,
            b_eq=np.full(equations.shape[0], float(n)),
            bounds=(0, 1),
            method="highs-ds",
            options={"presolve": False},
        )
        if found.status != 0:
            raise RuntimeError(f"HiGHS: {found.message}")
        masks[first : first + step] = found.x.reshape(part.shape) > 0.5
    return masks
