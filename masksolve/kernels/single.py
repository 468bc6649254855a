"""One lane out of sixteen: the last stage of the engine, and writing a tile to its place."""

from __future__ import annotations

from math import frexp, ldexp

import numpy as np

from masksolve.kernels.augment import augment_tile
from masksolve.kernels.jit import inner
from masksolve.kernels.lanes import GUARD, LANES, TOLERANCE
from masksolve.kernels.select import select_rows
from masksolve.kernels.workspace import AUGMENTATIONS, OPEN, PATHS, UNPROVEN

__all__ = ["finish_lane", "put_lane", "put_potentials", "put_settled"]

GRID_BITS = 12
"""Of a tile's largest size: potentials that begin as multiples of such a share stay so on grids of
scores, and float32 holds them when they are started from."""


@inner
def finish_lane(g, t, tile, n, at_most, counts):
    """Stage 5: solve lane t by augmenting paths from its V, and judge the outcome.

    From potentials that came from afar roundings may add up to more than a proof allows;
    then once more from zero. Writes the lane's X, U64, V64, kept and gaps.
    """
    s, x, u, v, search = tile.s, tile.x, tile.uv[0], tile.uv[1], tile.search
    row_count, col_count = search.integers[0], search.integers[1]
    m = s.shape[0]
    grid = ldexp(1.0, frexp(g.sizes[t])[1] - GRID_BITS)
    for i in range(m):
        v[i] = np.rint(g.V[i * LANES + t] / grid) * grid
        for j in range(m):
            s[i, j] = g.E[(i * m + j) * LANES + t]
    kept, gap, fine = 0.0, 0.0, False
    for start in range(2):
        if start > 0:
            v[:] = 0.0
        elif at_most:
            for j in range(m):
                v[j] = max(v[j], 0.0)
        select_rows(s, n, at_most, v, u, x, search.floats[2], search.integers[4])
        counts[AUGMENTATIONS] += augment_tile(s, n, at_most, x, u, v, search)
        kept, gap, size, most, high, side = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(m):
            for j in range(m):
                r = s[i, j] - u[i] - v[j]
                most = max(most, abs(s[i, j]))
                if x[i, j]:
                    kept += s[i, j]
                    size += abs(s[i, j])
                    gap += max(-r, 0.0)
                else:
                    gap += max(r, 0.0)
            high = max(high, abs(u[i]))
            side = max(side, abs(v[i]))
            if at_most:
                gap += u[i] * (n - row_count[i]) + v[i] * (n - col_count[i])
        fine = gap <= TOLERANCE * max(size, most) and not high + side > GUARD * most
        if fine:
            break
    counts[PATHS] += 1
    counts[UNPROVEN] += not fine
    g.kept[t], g.gaps[t] = kept, gap
    for i in range(m):
        g.U64[i * LANES + t], g.V64[i * LANES + t] = u[i], v[i]
        for j in range(m):
            g.X[(i * m + j) * LANES + t] = x[i, j]


@inner
def put_lane(g, t, U, V, across, m, out):
    """Write the mask of lane t, and its potentials if they are asked for."""
    corner = corner_of(g.tiles[t], across, m, out.stride)
    for i in range(m):
        for j in range(m):
            out.mask[corner + i * out.stride + j] = g.X[(i * m + j) * LANES + t]
    if out.potentials:
        put_potentials(g, t, U, V, m, out)


@inner
def corner_of(tile, across, m, stride):
    """Find a tile's first entry."""
    return (tile // across) * m * stride + (tile % across) * m


@inner
def put_potentials(g, t, U, V, m, out):
    """Write the potentials of lane t."""
    tile = g.tiles[t]
    for i in range(m):
        out.u[tile * m + i] = U[i * LANES + t] / g.scale[t]
        out.v[tile * m + i] = V[i * LANES + t] / g.scale[t]


@inner
def put_settled(g, t, across, m, out):
    """Write lane t by its U64 and V64, its kept score, and its gap if there is one."""
    g.rest[0] += g.kept[t] * g.inverse[t]
    gap = g.gaps[t]
    if gap != 0.0:
        k = out.counts[OPEN]
        out.open_tiles[k] = g.tiles[t]
        out.open_gaps[k] = gap * g.inverse[t]
        out.counts[OPEN] = k + 1
    put_lane(g, t, g.U64, g.V64, across, m, out)
