"""Min-cost flow by OR-Tools, one tile at a time.

The network is that of Hubara et al. 2021 (arXiv:2102.08124): a node for each row, one for
each column, an arc of capacity 1 between every pair. A row supplies n and a column
takes n, which does without their source and sink. Their code hands it to networkx in
Python; OR-Tools' SimpleMinCostFlow in C++ is what one would take.

Arcs are added by the array call, from index arrays made once. The graph itself cannot be
kept: the Python API can change capacities and supplies of arcs that are there,
but not their costs. It holds Python's lock while it solves, so that threads gain nothing.

Costs are integers. Each tile is scaled by a power of two to 40 bits and rounded, which
loses at most n * m / 2**40 of its largest score; the largest times the nodes, squared, must
stay below 2**62. Fewer bits are not faster. Our `min_cost_flow` puts many tiles in a graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..registry import contestant
from .scaling import scaled

__all__ = ["ortools_tiles"]

BITS = 40
TILES_AT_ONCE = 4096
"""So many are scaled together."""


@contestant(
    name="OR-Tools, tile by tile",
    reference="min-cost flow on the network of Hubara et al. 2021, arXiv:2102.08124, by "
    "OR-Tools SimpleMinCostFlow",
    exact=True,
    needs=("ortools",),
    quirks=f"scores rounded to {BITS} bits of the tile's largest; a graph a tile, as its costs "
    "cannot be changed from Python; one core",
)
def ortools_tiles(scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Solve one flow for each tile."""
    from ortools.graph.python import min_cost_flow

    tiles, m, _ = scores.shape
    row, column = (index.ravel() for index in np.indices((m, m)))
    nodes, supplies = np.arange(2 * m), np.repeat([n, -n], m)
    room = np.ones(m * m, dtype=np.int64)
    masks = np.empty((tiles, m * m), dtype=np.bool_)
    for first in range(0, tiles, TILES_AT_ONCE):
        part = slice(first, first + TILES_AT_ONCE)
        costs = -np.rint(scaled(scores[part], BITS)).astype(np.int64).reshape(-1, m * m)
        for mask, cost in zip(masks[part], costs, strict=True):
            flow = min_cost_flow.SimpleMinCostFlow()
            arcs = flow.add_arcs_with_capacity_and_unit_cost(row, column + m, room, cost)
            flow.set_nodes_supplies(nodes, supplies)
            status = flow.solve()
            if status != flow.OPTIMAL:
                raise RuntimeError(f"OR-Tools: {status}")
            mask[:] = flow.flows(arcs)
    return masks.reshape(scores.shape)
