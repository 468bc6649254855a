"""Integer programming through a modeller: PuLP, and the CBC that comes with it.

This is how the published code of Hubara et al. 2021 (arXiv:2102.08124) finds the masks of
trained networks: one model a tile, m * m variables that are 0 or 1, 2 m equations, and a
pool of processes. Writing the model, starting CBC and reading the answer take most of it.

Ours shares that between tiles: they stand side by side in one model of about a thousand
variables, whose equations are built once and whose objective changes. In 4:8 that is 5
times as fast, and larger models were slower. CBC's cuts, heuristics and preprocessing are
off: the first relaxation is integral, so that they only cost. Two models at a time gained
little on two cores, so there is no pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant
from .scaling import scaled

__all__ = ["pulp_cbc"]

VARIABLES = 1024
BITS = 10
"""Scores up to 1024, far above CBC's absolute tolerances of 1e-7."""


@contestant(
    name="PuLP + CBC",
    reference="integer programming as in the published code of Hubara et al. 2021, "
    "arXiv:2102.08124; PuLP and its CBC",
    exact=True,
    needs=("pulp",),
    quirks="many tiles in one model, theirs has one; no cuts, heuristics and preprocessing, "
    "which only cost time here; one core",
)
def pulp_cbc(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Solve integer programs of many tiles each, each tile scaled to CBC's tolerances."""
    import pulp

    tiles, m, _ = scores.shape
    step = min(tiles, max(1, VARIABLES // m**2))
    model, keeps = _model(step, m, n)
    solver = pulp.PULP_CBC_CMD(
        msg=False, cuts=False, options=["preprocess off", "heuristicsOnOff off"]
    )
    masks = np.empty(scores.shape, dtype=np.bool_)
    for first in range(0, tiles, step):
        part = scaled(scores[first : first + step], BITS)
        terms = zip(keeps, part.ravel().tolist(), strict=False)  # the last may be fewer
        model.setObjective(pulp.LpAffineExpression(terms))
        if model.solve(solver) != pulp.LpStatusOptimal:
            raise RuntimeError(f"CBC: {pulp.LpStatus[model.status]}")
        values = np.array([keep.varValue for keep in keeps[: part.size]])
        masks[first : first + step] = values.reshape(part.shape) > 0.5
    return masks


def _model(tiles: int, m: int, n: int) -> tuple[Any, list[Any]]:
    """Lay out the equations of so many tiles; also their variables, in order."""
    import pulp

    model = pulp.LpProblem("masks", pulp.LpMaximize)
    keeps = [pulp.LpVariable(f"keep{k}", cat=pulp.LpBinary) for k in range(tiles * m * m)]
    grid = np.array(keeps).reshape(tiles, m, m)
    for line in (*grid.reshape(-1, m), *grid.swapaxes(1, 2).reshape(-1, m)):
        model += pulp.lpSum(line) == n
    return model, keeps
