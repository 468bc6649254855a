"""Stages 2 to 5 of the engine: tiles that the first leaves, sixteen at a time, then one by one."""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import inner
from masksolve.kernels.lanes import (
    LANES,
    count_lines,
    leave,
    mask_above,
    perturb,
    raise_rows,
    recall,
)
from masksolve.kernels.simd import at, call, call_int, load, popcount, set_, store
from masksolve.kernels.single import finish_lane, put_settled
from masksolve.kernels.sixteen import (
    certify_tiles,
    copy_tile,
    gather_rows,
    put_proven,
    read_rows,
    set_limits,
    skip,
    zoom_twice,
)
from masksolve.kernels.whole_prover import LIMIT
from masksolve.kernels.workspace import MORE_ROUNDS, ROUNDS, TIES

__all__ = ["ZOOMS", "call_noted", "last_resorts", "more_rounds", "wait"]

SWEEPS = 24
MANY = 4
"""So many of sixteen tiles that stage 2 leaves go through stage 3 at once; fewer wait for more."""
ZOOMS, TIE_ZOOMS, LAST_ZOOMS = (
    (np.float32(a), np.float32(b)) for a, b in ((8, 8), (16, 32), (8, 64))
)
"""How much finer steps become, twice, in stages 2, 3 and 4."""
MARGIN = 3e-4
"""Share of the scores' spread by which noise may have raised a potential."""


@inner
def prove(p, g, held, margin, at_most):
    """Look for potentials that prove masks, from the rows'; return the tiles proven.

    Their lines hold what they may. The rows' may be too high by a margin; without one a single
    sweep must do.
    """
    if held:
        lanes = (g.E, g.X, g.rows, g.columns, g.U, g.U64, g.V64, g.kept, g.gaps)
        sweeps, slack = SWEEPS if margin > 0.0 else 1, 1 if at_most else 0
        held &= call_int(p.prove, (*lanes, sweeps, margin, slack, p.n, p.m))
    return held


@inner
def put_all_settled(p, job, g, settled, out):
    """Write the tiles of sixteen that are settled, by their X, U64 and V64."""
    for t in range(LANES):
        if settled >> t & 1:
            put_settled(g, t, job.across, p.m, out)


@inner
def try_earlier_mask(p, job, g, wanted, old, out):
    """Settle the tiles whose earlier mask is optimal; return those left.

    Where scores are equal it may still be proven.
    """
    recall(old, g.tiles, job.across, g.X, p.m)
    raise_rows(g.S, g.X, g.V, g.U, p.m)
    held = wanted & count_lines(g.X, g.rows, g.columns, job.at_most, p.n, p.m)
    proven = prove(p, g, held, 0.0, job.at_most)
    out.counts[ROUNDS] += popcount(proven)
    put_all_settled(p, job, g, proven, out)
    skip(g, proven)
    return wanted & ~proven


@inner
def settle_ties(p, job, g, proven, out):
    """Count tiles that are proven with ties, and write them."""
    out.counts[TIES] += popcount(proven)
    put_all_settled(p, job, g, proven, out)


@inner
def break_ties(p, job, g, wanted, out):
    """Settle tiles that have ties by rounds with noise; return those left."""
    perturb(g.S, job.noise, g.P, p.m)
    zoom_twice(p, g, g.P, TIE_ZOOMS)
    call(p.set_rows, (g.P, g.U, g.V, g.floor))
    mask_above(g.P, g.U, g.V, g.X, p.m)
    held = wanted & count_lines(g.X, g.rows, g.columns, job.at_most, p.n, p.m)
    if p.prove_whole and held:
        slack, limit = 1 if job.at_most else 0, np.uint32(LIMIT)
        lanes = (g.S, g.X, g.rows, g.columns, g.U, g.above, g.below, g.UW, g.VW, g.step)
        found = (g.U64, g.V64, g.kept, g.gaps, SWEEPS, np.float32(MARGIN), limit, slack, p.n, p.m)
        whole = call_int(p.prove_whole, (*lanes, *found))
        settle_ties(p, job, g, held & whole, out)
        wanted &= ~(held & whole)
        held &= ~(whole >> LANES)
    proven = prove(p, g, held, MARGIN, job.at_most)
    settle_ties(p, job, g, proven, out)
    return wanted & ~proven


@inner
def try_more_rounds(p, job, g, wanted, finer, out):
    """Go on with rounds in finer steps; settle what this proves, and return the tiles left."""
    zoom_twice(p, g, g.S, finer)
    if not p.strict:
        call(p.set_rows, (g.S, g.U, g.V, g.floor))
    proven = wanted & certify_tiles(p, job, g, g.flags, LANES * p.m)
    out.counts[MORE_ROUNDS] += popcount(proven)
    put_proven(p, job, g, proven, out)
    return wanted & ~proven


@inner
def wait(g, t, rows, stride, m):
    """Have lane t wait for more rounds; its rows are copied while they are at hand."""
    slot = g.waiting[0]
    g.waiting[1 + slot] = g.tiles[t]
    group, lane = slot // LANES * LANES * m, slot % LANES
    copy_tile(rows, stride, at(g.waiting_rows, group * m + lane * m), m)
    for j in range(m):
        g.waiting_V[group + j * LANES + lane] = g.V[j * LANES + t]
    g.waiting[0] = slot + 1


@inner
def call_waiting(p, job, g):
    """Read the sixteen that have waited longest; return how many.

    If there are fewer, the last of them is there again.
    """
    m, rows = p.m, g.waiting_rows
    size = min(LANES, g.waiting[0])
    for t in range(LANES):
        last = min(t, size - 1)
        g.tiles[t] = g.waiting[1 + last]
        if last < t:
            copy_tile(at(rows, last * m), LANES * m, at(rows, t * m), m)
        for j in range(m):
            g.V[j * LANES + t] = g.waiting_V[j * LANES + last]
    read_rows(p, job, g, rows, LANES * m)
    later = g.waiting[0] - size
    for t in range(later):
        copy_tile(at(rows, LANES * m * m + t * m), LANES * m, at(rows, t * m), m)
        g.waiting[1 + t] = g.waiting[1 + LANES + t]
        for j in range(m):
            g.waiting_V[j * LANES + t] = g.waiting_V[(m + j) * LANES + t]
    g.waiting[0] = later
    return size


@inner
def call_noted(p, job, g, left, left_V, first, size):
    """Read sixteen of the tiles that were noted; if there are fewer, the last of them again."""
    for t in range(LANES):
        k = first + min(t, size - 1)
        g.tiles[t] = left[k]
        for j in range(p.m):
            g.V[j * LANES + t] = left_V[k, j]
    gather_rows(job, g, p.m)
    read_rows(p, job, g, g.stack, LANES * p.m)


@inner
def set_later_limits(p, job, g, size):
    """Do as `set_limits` after stage 1, and count the scores of so many tiles."""
    set_limits(p, job, g)
    if job.at_most:
        store(g.floor, 0, set_(np.float32(0.0)))
    skip(g, -1 << size)


@inner
def more_rounds(p, job, g, old, out, left, left_V, lefts):
    """Stage 2 for tiles that wait, and 3 at once if many are left; return how many are noted."""
    size = call_waiting(p, job, g)
    set_later_limits(p, job, g, size)
    unproven = (1 << size) - 1
    if old.shape[0] > 0:
        unproven = try_earlier_mask(p, job, g, unproven, old, out)
        if unproven == 0:
            return lefts
    unproven = try_more_rounds(p, job, g, unproven, ZOOMS, out)
    noted = leave(g, unproven, left, left_V, lefts, p.m)
    if popcount(unproven) < MANY:
        return noted
    still = break_ties(p, job, g, unproven, out)
    for t in range(LANES):
        if still >> t & 1:
            left[lefts] = g.tiles[t]
            place = noted - popcount(unproven >> t)
            for j in range(p.m):
                left_V[lefts, j] = left_V[place, j]
            lefts += 1
    return lefts


@inner
def last_resorts(p, job, g, size, tile, out):
    """Stages 3, 4 and 5 for tiles that were noted."""
    m = p.m
    set_later_limits(p, job, g, size)
    for k in range(0, m * LANES, LANES):
        store(g.waiting_V, k, load(g.V, k))
    unproven = (1 << size) - 1
    left = break_ties(p, job, g, unproven, out)
    skip(g, unproven & ~left)
    for k in range(0, m * LANES, LANES):
        store(g.V, k, load(g.waiting_V, k))
    if left:
        left = try_more_rounds(p, job, g, left, LAST_ZOOMS, out)
    for t in range(size):
        if left >> t & 1:
            finish_lane(g, t, tile, p.n, job.at_most, out.counts)
    put_all_settled(p, job, g, left, out)
