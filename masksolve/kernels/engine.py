"""The exact engine: all tiles of a matrix, proven, in four stages.

1. Sixteen tiles at a time: some over-relaxed rounds, then a certificate, `strict_certifier` for
   exactly n of float32, else one in float64.
   With potentials to start from, the certificate comes first, without rounds; then, if
   more than a few tiles are left, a few rounds.
2. What is left, again sixteen at a time: does an earlier mask still do? Else more
   rounds from where they stand.
3. What is left now mostly has ties: rounds on scores with a small fixed noise, then
   potentials for the true scores from the mask.
4. The last few: shortest augmenting paths from the potentials, in float64.

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

from masksolve.kernels.jit import entry, kernel, kernel_for
from masksolve.kernels.lanes import (
    LANES,
    begin,
    count_lines,
    mask_above,
    measure,
    perturb,
    raise_rows,
    recall,
    rescale,
    set_floor,
    settle_shift,
)
from masksolve.kernels.schedule import LONGER, rounds
from masksolve.kernels.simd import call, call_int, load, pointer, popcount, set_, store
from masksolve.kernels.single import finish_lane, put_lane, put_settled, put_words
from masksolve.kernels.special import (
    certifier,
    loader,
    potential_loader,
    potential_storer,
    prover,
    relaxer,
    storer,
)
from masksolve.kernels.strict_certifier import strict_certifier
from masksolve.kernels.workspace import MORE_ROUNDS, ROUNDS, TIES, Output, lanes_of, workspace

__all__ = ["box_solver"]

FEW = 2
"""Of sixteen tiles whose start does not prove them, so many wait for stage 2; if there are
more, all sixteen get some rounds first, three quarters of a cold start's."""
SWEEPS = 24
MARGIN = 3e-4
"""Share of the scores' spread by which noise may have raised a potential."""


class Program(NamedTuple):
    """A pattern, and the addresses of what is compiled for it."""

    n: int
    m: int
    times: int
    strict: bool  # whether the strict certificate does
    relax: int
    certify: int
    load_rows: int
    store_rows: int
    load_potentials: int
    store_potentials: int
    prove: int


@kernel
def gather(W, tiles, across, E, m):
    """Copy any 16 tiles into lanes."""
    for t in range(LANES):
        top, left = (tiles[t] // across) * m, (tiles[t] % across) * m
        for i in range(m):
            for j in range(m):
                E[(i * m + j) * LANES + t] = W[top + i, left + j]


@kernel
def gather_potentials(v, tiles, V, m):
    """Copy the column potentials, v (t, m), of any 16 tiles into lanes."""
    for t in range(LANES):
        for j in range(m):
            V[j * LANES + t] = v[tiles[t], j]


@kernel
def prove(p, g, wanted, margin, at_most):
    """Look for potentials that prove masks, from the rows'; return the tiles proven.

    The rows' may be too high by a margin; without one a single sweep must do.
    """
    proven = wanted & count_lines(g.X, g.rows, g.columns, at_most, p.n, p.m)
    if proven:
        lanes = (g.E, g.X, g.rows, g.columns, g.U, g.U64, g.V64, g.kept, g.gaps)
        sweeps, slack = SWEEPS if margin > 0.0 else 1, 1 if at_most else 0
        proven &= call_int(p.prove, (*lanes, sweeps, margin, slack, p.n, p.m))
    return proven


@kernel
def recall_tiles(p, g, wanted, across, old, at_most, out):
    """Stage 2, first: settle the tiles whose earlier mask is optimal; return those left.

    Where scores are equal it may still be proven.
    """
    recall(old, g.tiles, across, g.X, p.m)
    raise_rows(g.S, g.X, g.V, g.U, p.m)
    proven = prove(p, g, wanted, 0.0, at_most)
    out.counts[ROUNDS] += popcount(proven)
    for t in range(LANES):
        if proven >> t & 1:
            put_settled(g, t, across, p.m, out)
            g.inverse[t] = 0.0
    return wanted & ~proven


@kernel
def settle_ties(p, g, wanted, across, noise, at_most, tile, out):
    """Stages 3 and 4: settle tiles that mostly have ties, whatever that takes."""
    perturb(g.S, noise, g.P, p.m)
    call(p.relax, (g.P, g.U, g.V, p.times, (1 + LONGER) * p.times, 1, g.floor))
    mask_above(g.P, g.U, g.V, g.X, p.m)
    proven = prove(p, g, wanted, MARGIN, at_most)
    out.counts[TIES] += popcount(proven)
    for t in range(LANES):
        if wanted >> t & 1:
            if not proven >> t & 1:
                finish_lane(g, t, tile, p.n, at_most, out.counts)
            put_settled(g, t, across, p.m, out)


@kernel
def relax_tiles(p, g, first, last):
    """Take rounds first to last - 1; the strict certificate sets U itself."""
    if first < last or not p.strict:
        rows_last = 0 if p.strict else 1
        call(p.relax, (g.S, g.U, g.V, first, last, rows_last, g.floor))


@kernel
def certify_tiles(p, g, whole, at_most, corner, out):
    """Mask what is above u + v; return the tiles proven. Writes the masks of whole rows."""
    if p.strict:
        stride = out.stride if whole else 0  # 0: not to be written
        places = (g.words, g.inverse, g.total, out.mask, stride, corner)
        return call_int(p.certify, (g.S, g.U, g.V, *places))
    slack = 1 if at_most else 0
    lanes = (g.E, g.U, g.V, g.X, g.columns, g.sizes, g.kept, g.inverse, g.total)
    proven = call_int(p.certify, (*lanes, slack))
    if whole:
        call(p.store_rows, (g.X, out.mask, out.stride, corner))
    return proven


@kernel
def put_adjacent_potentials(p, g, first, out):
    """Write the potentials of sixteen adjacent tiles."""
    for potentials, place in ((g.U, out.u), (g.V, out.v)):
        call(p.store_potentials, (potentials, g.inverse, g.U64, place, first * p.m))


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
    stride = W.strides[0] // W.itemsize
    warm = start.shape[0] > 0
    g = lanes_of(w, m)
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
    entries, v_start = pointer(W, 0), pointer(start, 0)
    magnitude = 1 if take_magnitude else 0
    store(g.total, 0, set_(0.0))
    store(g.floor, 0, set_(np.float32(-np.inf)))
    g.rest[0] = 0.0
    lefts = 0
    for stage in range(2):
        number = tiles if stage == 0 else lefts
        for first in range(0, number, LANES):
            size = min(LANES, number - first)
            row, column = (first // across) * m, (first % across) * m
            place, corner = row * stride + column, row * out.stride + column
            whole = stage == 0 and size == LANES
            whole = whole and column + LANES * m <= across * m
            for t in range(LANES):
                k = first + min(t, size - 1)
                g.tiles[t] = k if stage == 0 else w.left[k]
            if whole:
                call(p.load_rows, (entries, stride, place, magnitude, g.E, g.S, g.sizes))
            else:
                gather(W, g.tiles, across, g.E, m)
                measure(g.E, g.S, take_magnitude, g.sizes, m)
            if not rescale(g.E, g.S, g.sizes, g.scale, g.inverse, m):
                return np.nan
            cold = stage == 0 and not warm
            if at_most:
                set_floor(g.S, cold, take_magnitude, g.floor, m)
            wanted = (1 << size) - 1
            if stage == 1:
                for t in range(LANES):
                    for j in range(m):
                        g.V[j * LANES + t] = w.left_V[first + min(t, size - 1), j]
                if old.shape[0] > 0:
                    wanted = recall_tiles(p, g, wanted, across, old, at_most, out)
                    if wanted == 0:
                        continue
                relax_tiles(p, g, p.times, (1 + LONGER) * p.times)
            elif warm:
                if whole:
                    call(p.load_potentials, (v_start, first * m, g.V64))
                else:
                    gather_potentials(start, g.tiles, g.V64, m)
                begin(g.V64, g.scale, g.sizes, g.V, at_most, m)
                relax_tiles(p, g, 0, 0)
            else:
                for k in range(0, m * LANES, LANES):
                    store(g.V, k, set_(np.float32(0.0)))
                relax_tiles(p, g, 0, p.times)
            if at_most and cold:
                settle_shift(g.U, g.V, g.floor, m)
            for t in range(size, LANES):
                g.inverse[t] = 0.0  # the rest of a last group repeats its last tile
            before = load(g.total, 0)
            proven = wanted & certify_tiles(p, g, whole, at_most, corner, out)
            if stage == 0 and warm and popcount(wanted & ~proven) > FEW:
                # Rounds for all sixteen here cost less than stage 2 for these alone.
                relax_tiles(p, g, p.times, p.times + 3 * p.times // 4)
                store(g.total, 0, before)
                proven = wanted & certify_tiles(p, g, whole, at_most, corner, out)
            out.counts[ROUNDS if stage == 0 else MORE_ROUNDS] += popcount(proven)
            unproven = wanted & ~proven
            if whole:
                if out.potentials:  # of tiles left over too: they are written again
                    put_adjacent_potentials(p, g, first, out)
            else:
                for t in range(size):
                    if proven >> t & 1 and p.strict:
                        put_words(g, t, across, m, out)
                    elif proven >> t & 1:
                        put_lane(g, t, g.U, g.V, across, m, out)
            if stage == 1 and unproven:
                settle_ties(p, g, unproven, across, noise, at_most, w.tile, out)
            elif unproven:
                if warm:  # stage 2 goes on from the start, whatever the neighbours needed
                    begin(g.V64, g.scale, g.sizes, g.V, at_most, m)
                for t in range(size):
                    if unproven >> t & 1:
                        w.left[lefts] = g.tiles[t]
                        for j in range(m):
                            w.left_V[lefts, j] = g.V[j * LANES + t]
                        lefts += 1
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
        relaxer(n, m, at_most),
        strict_certifier(n, m) if strict else certifier(n, m, double),
        loader(m, double),
        0 if strict else storer(m),
        potential_loader(m) if warm else 0,
        potential_storer(m) if potentials else 0,
        prover(double),
    )
    return partial(entry(_compiled(double=double)), program)


@cache
def _compiled(double: bool) -> Any:
    return kernel_for(signature(double))(solve_box)


def signature(double: bool) -> tuple[Any, ...]:
    """Types of `solve_box`'s arguments, so that layouts do not multiply the compilation."""
    program = Program(1, 2, 1, True, 0, 0, 0, 0, 0, 0, 0)
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
