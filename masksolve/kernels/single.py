"""One tile out of sixteen: the last stage of the engine, and writing a tile to its place."""

from __future__ import annotations

from masksolve.kernels.augment import augment_tile
from masksolve.kernels.jit import kernel
from masksolve.kernels.lanes import GUARD, LANES
from masksolve.kernels.select import select_rows

__all__ = ["TOLERANCE", "finish_tile", "put_potentials", "put_settled", "put_tile", "take_lane"]

TOLERANCE = 1e-12


@kernel
def finish_tile(w, t, n, at_most):
    """Stage 4 for lane t: solve it by augmenting paths.

    From potentials that came from afar roundings may add up to more than a proof allows;
    then once more from zero. Returns the number of paths, kept score, gap, and whether
    that is a proof.
    """
    m = w.s.shape[0]
    for i in range(m):
        w.uv[1, i] = w.V[i * LANES + t]
        for j in range(m):
            w.s[i, j] = w.E[(i * m + j) * LANES + t]
    paths, kept, gap, fine = augment_from(w, n, at_most)
    if not fine:
        w.uv[1, :] = 0.0
        more, kept, gap, fine = augment_from(w, n, at_most)
        paths += more
    return paths, kept, gap, fine


@kernel
def augment_from(w, n, at_most):
    """Solve the single tile from its column potentials, and judge the outcome."""
    s, x, u, v = w.s, w.x, w.uv[0], w.uv[1]
    m = s.shape[0]
    if at_most:
        for j in range(m):
            v[j] = max(v[j], 0.0)
    select_rows(s, n, at_most, v, u, x, w.floats[0], w.integers[0])
    row_count, col_count = w.integers[1], w.integers[2]
    paths = augment_tile(
        s,
        n,
        at_most,
        x,
        u,
        v,
        row_count,
        col_count,
        w.floats[1],
        w.floats[2],
        w.integers[3],
        w.integers[4],
        w.done,
    )
    kept = 0.0
    size = 0.0
    most = 0.0
    high = 0.0
    side = 0.0
    gap = 0.0
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
    return paths, kept, gap, fine


@kernel
def take_lane(w, t, X, U, V):
    """Copy lane t's mask and potentials to the single tile."""
    m = w.s.shape[0]
    for i in range(m):
        w.uv[0, i] = U[i * LANES + t]
        w.uv[1, i] = V[i * LANES + t]
        for j in range(m):
            w.x[i, j] = X[(i * m + j) * LANES + t] != 0


@kernel
def put_tile(w, tile, across, mask):
    """Write the single tile's mask to its place."""
    m = w.s.shape[0]
    top, left = (tile // across) * m, (tile % across) * m
    for i in range(m):
        for j in range(m):
            mask[top + i, left + j] = w.x[i, j]


@kernel
def put_potentials(w, tile, scale, row_out, col_out):
    """Write the single tile's potentials, if they are asked for."""
    if row_out.shape[0] > 0:
        for i in range(w.s.shape[0]):
            row_out[tile, i] = w.uv[0, i] / scale
            col_out[tile, i] = w.uv[1, i] / scale


@kernel
def put_settled(w, t, slack, opens, across, mask, row_out, col_out):
    """Write the single tile, of lane t, and its gap if there is one; count such gaps."""
    tile = w.tiles[t]
    if slack != 0.0:
        w.open_tiles[opens] = tile
        w.open_gaps[opens] = slack * w.inverse[t]
        opens += 1
    put_tile(w, tile, across, mask)
    put_potentials(w, tile, w.scale[t], row_out, col_out)
    return opens
