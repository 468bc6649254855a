"""The 2-approximation of Hubara et al. 2021, arXiv:2102.08124: the algorithm of the paper.

They sort the entries of a tile from light to heavy and prune each while its row or its
column still lacks prunes. The pruned score is then at most twice the least possible.

We do this for all tiles in step, as their published code does with its own greedy: a sort,
then one step for each of the m * m entries, all of it on tensors. Two counters for each
tile and step replace their sums over the whole mask.

For distinct scores the same mask follows without any loop: an entry stays if it is among
the n heaviest of its row and among those of its column. Nobody published that as the
algorithm, so it is not timed here; `masksolve.solve` has `two_approx`, on compiled code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant
from .walk import walk

__all__ = ["two_approx"]


@contestant(
    name="torch 2-approximation",
    reference="Hubara et al. 2021, arXiv:2102.08124: prune from light to heavy",
    needs=("torch",),
    quirks="prunes too much: most tiles hold lines with fewer than n; all tiles in step, "
    "m * m steps; NumPy sorts, as torch takes several times as long on few cores",
)
def two_approx(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Prune lightest first while a line of the entry lacks prunes; lines may end short."""
    m = scores.shape[-1]
    return ~walk(scores, m - n, both=False)
