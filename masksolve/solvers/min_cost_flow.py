"""The flow network of the literature, by OR-Tools: many tiles in one graph.

Each row supplies n, each column demands n, an arc of capacity 1 and cost -score joins
every pair. OR-Tools computes in 64-bit integers, so scores are rounded to a grid; each
tile has its own, the finest power of two that cannot overflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import MasksolveError
from masksolve.solvers.base import Method, TileSolution

__all__ = ["METHOD", "solve_tiles"]

NODES_AT_ONCE = 512
"""About as many nodes per graph: amortises the call, keeps the cost range wide."""


def solve_tiles(
    scores: NDArray[np.float64], n: int, at_most: bool, start: NDArray[np.float64] | None = None
) -> TileSolution:
    """Solve min-cost flows on rounded scores and bound what the rounding may cost.

    ``counts["quantisation_loss"]`` adds up the bounds; equal scores are settled by
    OR-Tools, repeatably for the same tiles.
    """
    tiles, m, _ = scores.shape
    step = max(1, NODES_AT_ONCE // (2 * m + 2))
    costs, rounded = _quantise(scores, min(step, tiles))
    mask = np.empty(scores.shape, dtype=np.bool_)
    for first in range(0, tiles, step):
        part = slice(first, first + step)
        mask[part] = _solve_graph(costs[part], n, at_most)
    loss = _worst_loss(scores - rounded, mask, n, at_most)
    return TileSolution(mask, loss_bound=loss, counts={"quantisation_loss": float(loss.sum())})


def _quantise(
    scores: NDArray[np.float64], tiles_at_once: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Scale each tile by a power of two and round; also what the integers stand for.

    OR-Tools multiplies costs by the number of nodes + 1 (all tiles of the graph); a
    node's potential then stays within a small multiple of (nodes of its tile) times
    the largest cost. 2^62 divided by all of these, and by 8 to spare, bounds the cost.
    """
    nodes = 2 * scores.shape[1] + 2
    most = 2**62 // (8 * nodes * (nodes * tiles_at_once + 1))
    bits = most.bit_length() - 1
    largest = np.abs(scores).max(axis=(1, 2))
    exponent = np.where(largest > 0, bits - np.frexp(largest)[1], 0)[:, None, None]
    whole = np.rint(np.ldexp(scores, exponent))
    return whole.astype(np.int64), np.ldexp(whole, -exponent)


def _solve_graph(costs: NDArray[np.int64], n: int, at_most: bool) -> NDArray[np.bool_]:
    """Put all tiles side by side into one graph."""
    from ortools.graph.python import min_cost_flow

    tiles, m, _ = costs.shape
    side = m + 1 if at_most else m  # a row and a column more take what is not kept
    row, column = (index.ravel() for index in np.indices((side, side)))
    node = 2 * side * np.arange(tiles)[:, None]
    price = np.zeros((tiles, side, side), dtype=np.int64)
    price[:, :m, :m] = -costs
    room = np.where((row < m) & (column < m), 1, n * m)

    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        (node + row).ravel(), (node + side + column).ravel(), np.tile(room, tiles), price.ravel()
    )
    supply = np.full(side, n, dtype=np.int64)
    supply[m:] = n * m
    flow.set_nodes_supplies(
        np.arange(2 * side * tiles), np.tile(np.concatenate([supply, -supply]), tiles)
    )
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise MasksolveError(f"OR-Tools found no flow for these scores: {status}")
    kept = flow.flows(arcs).reshape(tiles, side, side)[:, :m, :m]
    mask: NDArray[np.bool_] = kept > 0
    return mask


def _worst_loss(
    error: NDArray[np.float64], mask: NDArray[np.bool_], n: int, at_most: bool
) -> NDArray[np.float64]:
    """Bound the optimum less the score of the mask, per tile.

    The mask is best for the rounded scores, so another can only win by what rounding
    took: at most the n largest errors of each row, less the errors of the mask.
    """
    m = error.shape[1]
    mine = np.where(mask, error, 0.0).sum(axis=(1, 2))
    if at_most:
        error = np.maximum(error, 0.0)
    largest = np.partition(error, m - n, axis=2)[:, :, m - n :]
    loss: NDArray[np.float64] = np.maximum(largest.sum(axis=(1, 2)) - mine, 0.0)
    return loss


METHOD = Method(
    name="min_cost_flow",
    exact=True,
    guarantee="kept score is the optimum to within stats['quantisation_loss'], the worst "
    "that rounding to integers can cost (if OR-Tools is right: certify=True proves it)",
    reference="OR-Tools SimpleMinCostFlow (cost-scaling push-relabel) on the network of "
    "Hubara et al. 2021, arXiv:2102.08124",
    solve_tiles=solve_tiles,
)
