"""SciPy's linear_sum_assignment, for 1:m: one kept entry a line is an assignment.

It solves one tile a call, by shortest augmenting paths in C++ (a modified Jonker-Volgenant).
Scores are turned to float64 costs for all tiles at once, which it would otherwise do call
by call, and masks are written from its columns at the end. Threads gained nothing at m <= 16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant

__all__ = ["assignment"]


def _one_a_line(n: int, m: int) -> bool:
    return n == 1


@contestant(
    name="SciPy assignment",
    reference="scipy.optimize.linear_sum_assignment (Crouse 2016), tile by tile",
    exact=True,
    needs=("scipy",),
    quirks="1:m only; one core",
    fits=_one_a_line,
)
def assignment(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Assign one column to each row of every tile."""
    from scipy.optimize import linear_sum_assignment

    costs = -scores.astype(np.float64)
    columns = np.empty(scores.shape[:2], dtype=np.intp)
    for taken, cost in zip(columns, costs, strict=True):
        taken[:] = linear_sum_assignment(cost)[1]
    masks = np.zeros(scores.shape, dtype=np.bool_)
    np.put_along_axis(masks, columns[:, :, None], True, axis=2)
    return masks
