"""The exact engine: all tiles of a matrix, proven, in five stages.

1. Sixteen adjacent tiles at a time: some over-relaxed rounds in 16-bit integers (`narrow_rounds`),
   then a certificate, `strict_certifier` for exactly n of float32, else one in float64.
   With potentials to start from, the certificate comes first, without rounds; then, if
   more than a few tiles are left, a few rounds.
2. What is left waits, its rows copied while they are near, until it is sixteen: does an earlier
   mask still do? Else more rounds from where they stand, in finer and still finer steps.
3. What is left now mostly has ties: such rounds on scores with a small fixed noise, then
   potentials for the true scores from the mask: in whole numbers (`whole_prover`), or in float64.
4. Once more rounds, in the finest steps.
5. The last few: shortest augmenting paths from the potentials, in float64.

A round is, with w the relaxation,

    v_j <- v_j + w (middle of s_ij - u_i over i  -  v_j),    then u_i likewise from v,

where the middle lies between the n-th and the (n+1)-th largest. Each stage takes a fixed
number of them, and the paths end by themselves (`masksolve.kernels.augment`).

A tile that is proven in the first stage has one optimum only, every comparison being
strict; the others see a tile's entries and potentials only. So a result does not depend on
how tiles are grouped or on the number of threads.
"""

from __future__ import annotations

import os
import threading
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types

from masksolve.kernels.jit import entry, inner, kernel_for
from masksolve.kernels.lanes import (
    LANES,
    begin,
    count_lines,
    leave,
    mask_above,
    perturb,
    raise_rows,
    recall,
    rescale,
    set_base,
    set_floor,
    set_step,
    settle_shift,
)
from masksolve.kernels.narrow_rounds import (
    LINE,
    coarsener,
    largest_score,
    narrow_relaxer,
    refiner,
    room_finder,
    widener,
)
from masksolve.kernels.schedule import rounds
from masksolve.kernels.simd import (
    as_bytes,
    at,
    call,
    call_int,
    copy,
    load,
    pointer,
    popcount,
    prefetch,
    prefetch_to_write,
    set_,
    store,
)
from masksolve.kernels.single import corner_of, finish_lane, put_potentials, put_settled
from masksolve.kernels.special import (
    certifier,
    loader,
    potential_loader,
    potential_storer,
    prover,
    row_setter,
    storer,
)
from masksolve.kernels.strict_certifier import strict_certifier
from masksolve.kernels.whole_prover import LIMIT, whole_prover
from masksolve.kernels.workspace import MORE_ROUNDS, ROUNDS, TIES, Output, lanes_of, workspace

__all__ = ["box_solver"]

FEW = 2
"""Of sixteen tiles whose start does not prove them, so many wait for stage 2; if there are
more, all sixteen get some rounds first, three quarters of a cold start's."""
SWEEPS = 24
MANY = 4
"""So many of sixteen tiles that stage 2 leaves go through stage 3 at once; fewer wait for more."""
ZOOMS, TIE_ZOOMS, LAST_ZOOMS = (
    (np.float32(a), np.float32(b)) for a, b in ((8, 8), (16, 32), (8, 64))
)
"""How much finer steps become, twice, in stages 2, 3 and 4."""
MARGIN = 3e-4
"""Share of the scores' spread by which noise may have raised a potential."""


class Program(NamedTuple):
    """A pattern, and the addresses of what is compiled for it."""

    n: int
    m: int
    times: int
    strict: bool  # whether the strict certificate does
    most: np.float32  # what scores are scaled to in narrow rounds
    find_room: int
    coarsen: int
    relax: int
    refine: int
    widen: int
    set_rows: int
    certify: int
    load_rows: int
    store_rows: int
    load_potentials: int
    store_potentials: int
    prove: int
    prove_whole: int  # 0 for float64 scores


class Job(NamedTuple):
    """What is asked of a box, by bare pointers."""

    entries: Any
    stride: int  # entries from row to row
    across: int  # tiles in a row of tiles
    magnitude: int
    at_most: bool
    noise: Any
    start: Any  # column potentials to start from
    warm: bool  # whether there are any


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
def settle_ties(p, job, g, proven, out):
    """Count tiles that are proven with ties, and write them."""
    out.counts[TIES] += popcount(proven)
    put_all_settled(p, job, g, proven, out)


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
def skip(g, which):
    """Count the scores of lanes no more."""
    for t in range(LANES):
        if which >> t & 1:
            g.inverse[t] = 0.0


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


def solve_box(p, W, take_magnitude, at_most, start, old, noise, mask, u_out, v_out, w):
    """Solve all tiles of a matrix; return the kept score, NaN if a score is not finite.

    p is a `Program`, W (R, C) float32 or float64, start (t, m) float64 column potentials,
    old (R, C) int8 an earlier mask, noise (m m,) float32; mask (R, C) int8 and potentials
    u_out, v_out (t, m) float64 are written. What has no rows is not given, or not asked for;
    a mask that nobody reads may have all its rows in one place.
    w is a fresh `Workspace`, whose counts, open_tiles and open_gaps are for the caller.
    """
    m = p.m
    across = W.shape[1] // m
    tiles = (W.shape[0] // m) * across
    g = lanes_of(w, m)
    job = Job(
        pointer(W, 0),
        W.strides[0] // W.itemsize,
        across,
        1 if take_magnitude else 0,
        at_most,
        pointer(noise, 0),
        pointer(start, 0),
        start.shape[0] > 0,
    )
    out = Output(
        pointer(mask, 0),
        mask.strides[0],
        u_out.shape[0] > 0,
        pointer(u_out, 0),
        pointer(v_out, 0),
        pointer(w.open_tiles, 0),
        pointer(w.open_gaps, 0),
        pointer(w.counts, 0),
    )
    store(g.total, 0, set_(0.0))
    store(g.floor, 0, set_(np.float32(-np.inf)))
    store(g.base, 0, set_(np.float32(0.0)))
    g.rest[0] = 0.0
    g.waiting[0] = 0
    lefts = row = column = g.waiting[0]
    for first in range(0, tiles, LANES):
        size = min(LANES, tiles - first)
        while column >= across:
            row, column = row + 1, column - across
        adjacent = size == LANES and column + LANES <= across
        rows, stride = at(job.entries, (row * job.stride + column) * m), job.stride
        masks, mask_stride = at(out.mask, (row * out.stride + column) * m), out.stride
        if not adjacent:
            find_tiles(first, size, g)
            gather_rows(job, g, m)
            rows, stride = g.stack, LANES * m
            masks, mask_stride = g.flags, LANES * m
        if not read_rows(p, job, g, rows, stride):
            return np.nan
        set_limits(p, job, g)
        ahead = what_follows(W, job, row, column + LANES, m)
        if job.warm:
            following = as_bytes(job.start, (first + LANES) * m * 8)
            fetch(ahead, following, masks, mask_stride, m)
            start_warm(p, job, g, adjacent, first)
        else:
            coarse_rounds(p, g, ahead, masks, mask_stride)
        if not p.strict:
            call(p.set_rows, (g.S, g.U, g.V, g.floor))
        if at_most and not job.warm:
            settle_shift(g.U, g.V, g.floor, m)
        if size < LANES:
            skip(g, -1 << size)  # the rest of a last group repeats its last tile
        before = load(g.total, 0)
        wanted = (1 << size) - 1
        unproven = wanted & ~certify_tiles(p, job, g, masks, mask_stride)
        if job.warm and popcount(unproven) > FEW:
            # Rounds for all sixteen here cost less than stage 2 for these alone.
            zoom(p, g, g.S, ZOOMS[0], 3 * p.times // 4)
            store(g.total, 0, before)
            if not p.strict:
                call(p.set_rows, (g.S, g.U, g.V, g.floor))
            unproven = wanted & ~certify_tiles(p, job, g, masks, mask_stride)
        out.counts[ROUNDS] += size - popcount(unproven)
        if not adjacent:
            put_proven(p, job, g, wanted & ~unproven, out)
        elif out.potentials:  # of tiles left over too: they are written again
            put_adjacent_potentials(p, g, first, out)
        if unproven:
            if adjacent:
                find_tiles(first, size, g)
            if job.warm:  # whatever the neighbours needed, go on from the start
                begin(g.V64, g.scale, g.sizes, g.V, at_most, m)
            for t in range(LANES):
                if unproven >> t & 1:
                    wait(g, t, at(rows, t * m), stride, m)
        column += LANES
        enough = 1 if first + LANES >= tiles else LANES
        while g.waiting[0] >= enough:
            lefts = more_rounds(p, job, g, old, out, w.left, w.left_V, lefts)
    for first in range(0, lefts, LANES):
        size = min(LANES, lefts - first)
        call_noted(p, job, g, w.left, w.left_V, first, size)
        last_resorts(p, job, g, size, w.tile, out)
    for t in range(LANES):
        g.rest[0] += g.total[t]
    return g.rest[0]


def box_solver(
    n: int, m: int, double: bool, at_most: bool, warm: bool = False, potentials: bool = False
) -> Any:
    """Compile what the pattern needs, once; numba caches it on disk.

    Returns `solve_box` with its `Program` filled in. To be given potentials, or asked for them,
    it must be told.
    """
    with _COMPILING:  # threads that ask at the same time must share one result
        return _box_solver(n, m, double, at_most, warm, potentials)


_COMPILING = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not wait for a thread that only its parent has.
    os.register_at_fork(after_in_child=_COMPILING._at_fork_reinit)


@cache
def _box_solver(n: int, m: int, double: bool, at_most: bool, warm: bool, potentials: bool) -> Any:
    strict = not (double or at_most)
    program = Program(
        n,
        m,
        rounds(m),
        strict,
        np.float32(largest_score(m)),
        room_finder(),
        coarsener(),
        narrow_relaxer(n, m, at_most),
        refiner(),
        widener(),
        row_setter(n, m, at_most),
        strict_certifier(n, m) if strict else certifier(n, m, double),
        loader(m, double),
        0 if strict else storer(m),
        potential_loader(m) if warm else 0,
        potential_storer(m) if potentials else 0,
        prover(double),
        0 if double else whole_prover(),
    )
    return partial(entry(_compiled(double=double)), program)


@cache
def _compiled(double: bool) -> Any:
    return kernel_for(signature(double))(solve_box)


def signature(double: bool) -> tuple[Any, ...]:
    """Types of `solve_box`'s arguments, so that layouts do not multiply the compilation."""
    program = Program(1, 2, 1, True, np.float32(1.0), *[0] * 13)
    entry = types.float64 if double else types.float32

    def matrix(dtype: Any, readonly: bool = False, layout: Any = "A") -> Any:
        return types.Array(dtype, 2, layout, readonly)

    return (
        typeof(program),
        matrix(entry, readonly=True),
        types.boolean,
        types.boolean,
        matrix(types.float64, readonly=True),
        matrix(types.int8, readonly=True),
        types.Array(types.float32, 1, "C", readonly=True),
        matrix(types.int8),
        matrix(types.float64, layout="C"),
        matrix(types.float64, layout="C"),
        typeof(workspace(4, 1, double)),
    )
