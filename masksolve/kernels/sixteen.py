"""What the stages of the engine do to sixteen tiles: read, take rounds, certify, write."""

from __future__ import annotations

from masksolve.kernels.jit import inner
from masksolve.kernels.lanes import LANES, begin, rescale, set_base, set_floor, set_step
from masksolve.kernels.narrow_rounds import LINE
from masksolve.kernels.simd import as_bytes, at, call, call_int, copy, prefetch, prefetch_to_write
from masksolve.kernels.single import corner_of, put_potentials

__all__ = [
    "certify_tiles",
    "coarse_rounds",
    "copy_tile",
    "fetch",
    "find_tiles",
    "gather_rows",
    "put_adjacent_potentials",
    "put_proven",
    "read_rows",
    "set_limits",
    "skip",
    "start_warm",
    "what_follows",
    "zoom",
    "zoom_twice",
]


@inner
def find_tiles(first, size, g):
    """Name sixteen tiles: `size` of them from a first on, then the last again."""
    for t in range(LANES):
        g.tiles[t] = first + min(t, size - 1)


@inner
def read_rows(p, job, g, rows, stride):
    """Read sixteen tiles that lie side by side; return whether all scores are fit for it."""
    call(p.load_rows, (rows, stride, 0, job.magnitude, g.E, g.S, g.sizes, g.room))
    return rescale(g.E, g.S, g.sizes, g.room, g.scale, g.inverse, p.m)


@inner
def gather_rows(job, g, m):
    """Put the rows of any sixteen tiles side by side."""
    for t in range(LANES):
        corner = corner_of(g.tiles[t], job.across, m, job.stride)
        copy_tile(at(job.entries, corner), job.stride, at(g.stack, t * m), m)


@inner
def copy_tile(rows, stride, to, m):
    """Put a tile's rows side by side with those of fifteen others."""
    for i in range(m):
        copy(at(to, i * LANES * m), at(rows, i * stride), m)


@inner
def start_warm(p, job, g, adjacent, first):
    """Take over column potentials of sixteen tiles, the adjacent ones from a first on."""
    m = p.m
    if adjacent:
        call(p.load_potentials, (job.start, first * m, g.V64))
    else:
        for t in range(LANES):
            for j in range(m):
                g.V64[j * LANES + t] = job.start[g.tiles[t] * m + j]
    begin(g.V64, g.scale, g.sizes, g.V, job.at_most, m)


@inner
def coarse_rounds(p, g, ahead, mask, mask_stride):
    """Find column potentials by rounds in coarse steps, from nothing."""
    lines = (g.V16, g.least_u, g.least_v)
    call(p.coarsen, (g.S, g.base, g.floor, g.step, g.N, *lines, p.m))
    call(p.relax, (g.N, g.U16, g.V16, g.least_u, g.least_v, 0, p.times, *ahead, mask, mask_stride))
    call(p.widen, (g.V16, g.least_v, g.floor, g.step, g.V, 0, p.m))


@inner
def what_follows(W, job, row, column, m):
    """Say where the sixteen tiles from a column on begin, or those that begin the next row.

    Gives a stride of 0 if there are none.
    """
    if column + LANES > job.across:
        row, column = row + 1, 0
    size = W.itemsize
    stride = job.stride * size
    if job.across < LANES or (row + 1) * m > W.shape[0]:
        stride = 0
    return as_bytes(job.entries, (row * job.stride + column) * m * size), stride


@inner
def fetch(ahead, potentials, mask, mask_stride, m):
    """Have the rows of what follows fetched, its potentials, and what is written next."""
    for i in range(m):
        for line in range(0, LANES * m, LINE):
            prefetch_to_write(mask, i * mask_stride + line)
    start, stride = ahead
    if stride:
        for i in range(m):
            for line in range(0, LANES * m * 4, LINE):
                prefetch(start, i * stride + line)
        for line in range(0, LANES * m * 8, LINE):
            prefetch(potentials, line)


@inner
def zoom(p, g, S, finer, times):
    """Go on with rounds from where column potentials stand, in finer steps."""
    lines = (g.V16, g.least_u, g.least_v)
    call(p.set_rows, (S, g.U, g.V, g.floor))
    call(p.refine, (S, g.U, g.V, g.floor, g.step, finer, g.N, *lines, p.m))
    nothing = (g.flags, 0, g.flags, 0)
    call(p.relax, (g.N, g.U16, g.V16, g.least_u, g.least_v, p.times, p.times + times, *nothing))
    call(p.widen, (g.V16, g.least_v, g.floor, g.step, g.V, 1, p.m))


@inner
def zoom_twice(p, g, S, finer):
    """Do so in steps finer than the coarse ones, and in still finer ones."""
    set_step(g.room, p.most, g.step)
    zoom(p, g, S, finer[0], p.times)
    zoom(p, g, S, finer[1], p.times)


@inner
def set_limits(p, job, g):
    """Find what scores count from, their steps, and what potentials are at least."""
    if job.at_most:
        set_floor(g.S, not job.warm, job.magnitude != 0, g.floor, p.m)
    elif not job.magnitude:
        set_base(g.S, g.base, p.m)
        call(p.find_room, (g.S, g.base, g.room, p.m))
    set_step(g.room, p.most, g.step)


@inner
def certify_tiles(p, job, g, mask, stride):
    """Mask what is above u + v, and write it; return the tiles proven.

    Only where the strict certificate does not do must U be set before.
    """
    if p.strict:
        return call_int(p.certify, (g.S, g.U, g.V, g.words, g.inverse, g.total, mask, stride, 0))
    slack = 1 if job.at_most else 0
    lanes = (g.E, g.U, g.V, g.X, g.columns, g.sizes, g.kept, g.inverse, g.total)
    proven = call_int(p.certify, (*lanes, slack))
    call(p.store_rows, (g.X, mask, stride, 0))
    return proven


@inner
def put_adjacent_potentials(p, g, first, out):
    """Write the potentials of sixteen adjacent tiles."""
    for potentials, place in ((g.U, out.u), (g.V, out.v)):
        call(p.store_potentials, (potentials, g.inverse, g.U64, place, first * p.m))


@inner
def put_proven(p, job, g, proven, out):
    """Write the tiles of sixteen that are proven, from where their rows lie side by side."""
    m = p.m
    for t in range(LANES):
        if proven >> t & 1:
            place = corner_of(g.tiles[t], job.across, m, out.stride)
            for i in range(m):
                copy(at(out.mask, place + i * out.stride), at(g.flags, (i * LANES + t) * m), m)
            if out.potentials:
                put_potentials(g, t, g.U, g.V, m, out)


@inner
def skip(g, which):
    """Count the scores of lanes no more."""
    for t in range(LANES):
        if which >> t & 1:
            g.inverse[t] = 0.0
