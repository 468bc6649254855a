"""One tile out of sixteen: the last stage of the engine, and writing a tile to its place."""

from __future__ import annotations

from masksolve.kernels.augment import augment_tile
from masksolve.kernels.jit import kernel
from masksolve.kernels.lanes import GUARD, LANES, TOLERANCE
from masksolve.kernels.select import select_rows
from masksolve.kernels.workspace import OPEN

__all__ = ["finish_tile", "put_potentials", "put_settled", "put_tile", "take_lane"]


@kernel
def finish_tile(tile, E, V, t, n, at_most):
    """Stage 4 for lane t: solve it by augmenting paths, and judge the outcome.

    From potentials that came from afar roundings may add up to more than a proof allows;
    then once more from zero. Returns the number of paths, kept score, gap, and whether
    that is a proof.
    """
    s, x, u, v, search = tile
    m = s.shape[0]
    for i in range(m):
        v[i] = V[i * LANES + t]
        for j in range(m):
            s[i, j] = E[(i * m + j) * LANES + t]
    paths = 0
    kept, gap, fine = 0.0, 0.0, False
    for start in range(2):
        if start > 0:
            v[:] = 0.0
        elif at_most:
            for j in range(m):
                v[j] = max(v[j], 0.0)
        select_rows(s, n, at_most, v, u, x, search.top, search.where)
        paths += augment_tile(s, n, at_most, x, u, v, search)
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
                gap += u[i] * (n - search.row_count[i]) + v[i] * (n - search.col_count[i])
        fine = gap <= TOLERANCE * max(size, most) and not high + side > GUARD * most
        if fine:
            break
    return paths, kept, gap, fine


@kernel
def take_lane(tile, t, X, U, V):
    """Copy lane t's mask and potentials to the single tile."""
    m = tile.s.shape[0]
    for i in range(m):
        tile.u[i] = U[i * LANES + t]
        tile.v[i] = V[i * LANES + t]
        for j in range(m):
            tile.x[i, j] = X[(i * m + j) * LANES + t] != 0


@kernel
def put_tile(tile, number, across, mask):
    """Write the single tile's mask to its place."""
    m = tile.s.shape[0]
    top, left = (number // across) * m, (number % across) * m
    for i in range(m):
        for j in range(m):
            mask[top + i, left + j] = tile.x[i, j]


@kernel
def put_potentials(tile, number, scale, u_out, v_out):
    """Write the single tile's potentials, if they are asked for."""
    if u_out.shape[0] > 0:
        for i in range(tile.s.shape[0]):
            u_out[number, i] = tile.u[i] / scale
            v_out[number, i] = tile.v[i] / scale


@kernel
def put_settled(tile, g, t, kept, gap, across, out):
    """Write the single tile, lane t of g, with its kept score and gap."""
    number = g.tiles[t]
    out.rest[0] += kept * g.inverse[t]
    if gap != 0.0:
        k = out.counts[OPEN]
        out.open_tiles[k] = number
        out.open_gaps[k] = gap * g.inverse[t]
        out.counts[OPEN] = k + 1
    put_tile(tile, number, across, out.mask)
    put_potentials(tile, number, g.scale[t], out.u, out.v)
