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
from typing import Any

import numpy as np
from numba import typeof, types

from masksolve.kernels.jit import entry, kernel_for
from masksolve.kernels.lanes import LANES, begin, settle_shift
from masksolve.kernels.leftovers import ZOOMS, call_noted, last_resorts, more_rounds, wait
from masksolve.kernels.narrow_rounds import (
    coarsener,
    largest_score,
    narrow_relaxer,
    refiner,
    room_finder,
    widener,
)
from masksolve.kernels.program import Job, Program
from masksolve.kernels.schedule import rounds
from masksolve.kernels.simd import as_bytes, at, call, load, pointer, popcount, set_, store
from masksolve.kernels.sixteen import (
    certify_tiles,
    coarse_rounds,
    fetch,
    find_tiles,
    gather_rows,
    put_adjacent_potentials,
    put_proven,
    read_rows,
    set_limits,
    skip,
    start_warm,
    what_follows,
    zoom,
)
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
from masksolve.kernels.whole_prover import whole_prover
from masksolve.kernels.workspace import ROUNDS, Output, lanes_of, workspace

__all__ = ["box_solver"]

FEW = 2
"""Of sixteen tiles whose start does not prove them, so many wait for stage 2; if there are
more, all sixteen get some rounds first, three quarters of a cold start's."""


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
