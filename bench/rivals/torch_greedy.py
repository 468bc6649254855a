"""What the published code of Hubara et al. 2021 runs under the name of the 2-approximation.

That is `update_mask_approx2` of github.com/papers-submission/structured_transposable_masks,
and it is another algorithm than the paper's: it keeps from heavy to light, while the row
and the column both have room. The paper's promise is not known to hold for it, and lines
can end short, but it loses far less.

Ours is that rule for all tiles in step, as theirs is. We leave out what would be unfair to
copy: theirs sums the whole mask at every step, where two counters do; it is called
without n, so that it keeps 4 in each line whatever n is; it stops at the first step at which
no tile has room for its entry, which with few tiles can come too early; and its tiles are
m * m consecutive weights of one output, not m x m of the matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant
from .walk import walk

__all__ = ["greedy"]


@contestant(
    name="torch greedy",
    reference="published code of Hubara et al. 2021, "
    "github.com/papers-submission/structured_transposable_masks: keep from heavy to light",
    needs=("torch",),
    quirks="their code calls it the 2-approximation, but it is not the paper's; some lines "
    "hold fewer than n; counters in place of their sums over the mask at every step",
)
def greedy(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Keep heaviest first while both lines of the entry have room; lines may end short."""
    return walk(-scores, n, both=True)
