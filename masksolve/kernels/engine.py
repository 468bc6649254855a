"""The exact engine: all tiles of a matrix, proven, in four stages.

1. Sixteen tiles at a time: some over-relaxed rounds, then the float64 certificate.
   With potentials to start from, the certificate comes first, without rounds; then, if
   more than a few tiles are left, a few rounds.
2. What is left, again sixteen at a time: does an earlier mask still do? Else more
   rounds from where they stand.
3. What is left now mostly has ties: rounds on scores with a small fixed noise, then
   potentials for the true scores from the mask.
4. The last few: shortest augmenting paths from the potentials, in float64.

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

from masksolve.kernels.jit import kernel, kernel_for
from masksolve.kernels.lanes import (
    LANES,
    MARGIN,
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
from masksolve.kernels.simd import ask, fill, load, run, span, store
from masksolve.kernels.single import (
    TOLERANCE,
    finish_tile,
    put_potentials,
    put_settled,
    put_tile,
    take_lane,
)
from masksolve.kernels.special import certifier, loader, price_loader, prover, relaxer, storer
from masksolve.kernels.workspace import workspace

__all__ = ["box_solver"]

MORE_ROUNDS = 2
"""Stage 2 takes this many times the rounds of stage 1, stage 3 as many again."""
FEW = 2
"""Of sixteen tiles whose start does not prove them, so many wait for stage 2; if there are
more, all sixteen get some rounds first, three quarters of a cold start's."""
SWEEPS = 24
LIMIT = 2.0**960


def schedule(n: int, m: int) -> tuple[int, float]:
    """Choose rounds of stage 1 and the relaxation, as measured (docs: the engine)."""
    size = (m - 1).bit_length()  # log2, rounded up
    times = {1: 2, 2: 4, 3: 6, 4: 8, 5: 12}.get(size, 18)
    omega = {1: 1.0, 2: 1.12, 3: 1.27, 4: 1.4, 5: 1.5}.get(size, 1.6)
    return times, omega


@kernel
def count_bits(word):
    """Count the bits of a small integer."""
    total = 0
    while word:
        word &= word - 1
        total += 1
    return total


@kernel
def gather(W, tiles, across, E, m):
    """Copy any 16 tiles into lanes."""
    for t in range(LANES):
        top, left = (tiles[t] // across) * m, (tiles[t] % across) * m
        for i in range(m):
            for j in range(m):
                E[(i * m + j) * LANES + t] = W[top + i, left + j]


@kernel
def gather_prices(start, tiles, VV, m):
    """Copy the column potentials of any 16 tiles into lanes."""
    for t in range(LANES):
        for j in range(m):
            VV[j * LANES + t] = start[tiles[t], j]


def signature(double: bool) -> tuple[Any, ...]:
    """Types of `solve_box`'s arguments, so that layouts do not multiply the compilation."""
    entry = types.float64 if double else types.float32

    def array(dtype: Any, dimensions: int, readonly: bool = False) -> Any:
        return types.Array(dtype, dimensions, "A" if dimensions > 1 else "C", readonly)

    return (
        types.intp,
        types.intp,
        types.intp,
        types.float32,
        types.boolean,
        types.intp,
        types.intp,
        types.intp,
        types.intp,
        types.intp,
        types.intp,
        array(entry, 2, readonly=True),
        types.intp,
        types.boolean,
        types.boolean,
        array(types.float64, 2, readonly=True),
        array(types.int8, 2, readonly=True),
        array(types.float32, 1, readonly=True),
        typeof(workspace(4, 1, double)),
        array(types.int8, 2),
        types.intp,
        array(types.float64, 2),
        array(types.float64, 2),
        array(types.int64, 1),
    )


def solve_box(
    n,
    m,
    times,
    omega,
    by_rows,
    relax,
    certify,
    load_rows,
    store_rows,
    load_prices,
    prove,
    W,
    stride,
    take_magnitude,
    at_most,
    start,
    old,
    noise,
    w,
    mask,
    mask_stride,
    row_out,
    col_out,
    counts,
):
    """Solve all tiles of a matrix; return the kept score, NaN if a score is not finite.

    counts get the tiles proven in each stage, the augmenting paths, the tiles that
    remain unproven, and how many gaps are not zero: ``w.open_tiles``, ``w.open_gaps``.
    """
    across = W.shape[1] // m
    tiles = (W.shape[0] // m) * across
    warm = start.shape[0] > 0
    keep = row_out.shape[0] > 0
    E, S, P, U, V = span(w.E), span(w.S), span(w.P), span(w.U), span(w.V)
    floor = span(w.floor)
    X, row_counts, col_counts = span(w.X), span(w.rows), span(w.columns)
    scale, inverse, sizes = span(w.scale), span(w.inverse), span(w.sizes)
    kept, gaps, total, chosen = span(w.kept), span(w.gaps), span(w.total), span(w.tiles)
    entries, out, prices = span(W), span(mask), span(start)
    UU, VV = span(w.UU), span(w.VV)
    magnitude = 1 if take_magnitude else 0
    slack_lines = 1 if at_most else 0
    lefts = 0
    opens = 0
    rest = 0.0
    store(total, 0, fill(0.0))
    for stage in range(2):
        number = tiles if stage == 0 else lefts
        for first in range(0, number, LANES):
            size = min(LANES, number - first)
            row, column = (first // across) * m, (first % across) * m
            whole = by_rows and stage == 0 and size == LANES
            whole = whole and column + LANES * m <= across * m
            for t in range(LANES):
                k = first + min(t, size - 1)
                chosen[t] = k if stage == 0 else w.left[k]
            if whole:
                place = row * stride + column
                run(load_rows, (entries, stride, place, magnitude, E, S, sizes))
            else:
                gather(W, chosen, across, E, m)
                measure(E, S, take_magnitude, sizes, m)
            if not rescale(E, S, sizes, scale, inverse, LIMIT, m):
                return np.nan
            cold = stage == 0 and not warm
            if at_most:
                set_floor(S, cold, take_magnitude, floor, m)
            wanted = (1 << size) - 1
            if stage == 1:
                for t in range(LANES):
                    for j in range(m):
                        V[j * LANES + t] = w.left_V[first + min(t, size - 1), j]
                if old.shape[0] > 0:
                    # Where scores are equal the earlier mask may still be proven.
                    recall(old, chosen, across, X, m)
                    proven = wanted & count_lines(X, row_counts, col_counts, at_most, n, m)
                    raise_rows(S, X, V, U, m)
                    proven &= ask(
                        prove,
                        (
                            E,
                            X,
                            row_counts,
                            col_counts,
                            U,
                            UU,
                            VV,
                            kept,
                            gaps,
                            1,
                            0.0,
                            TOLERANCE,
                            slack_lines,
                            n,
                            m,
                        ),
                    )
                    counts[0] += count_bits(proven)
                    for t in range(size):
                        if proven >> t & 1:
                            take_lane(w, t, w.X, w.UU, w.VV)
                            rest += kept[t] * inverse[t]
                            opens = put_settled(
                                w, t, gaps[t], opens, across, mask, row_out, col_out
                            )
                            inverse[t] = 0.0
                    wanted &= ~proven
                    if wanted == 0:
                        continue
                run(relax, (S, U, V, MORE_ROUNDS * times, 0, omega, floor))
            elif warm:
                if whole:
                    run(load_prices, (prices, first * m, VV))
                else:
                    gather_prices(start, chosen, VV, m)
                begin(VV, scale, sizes, V, at_most, m)
                run(relax, (S, U, V, 0, 0, omega, floor))
            else:
                for k in range(0, m * LANES, LANES):
                    store(V, k, fill(np.float32(0.0)))
                run(relax, (S, U, V, times, 1, omega, floor))
            if at_most and cold:
                settle_shift(U, V, floor, m)
            for t in range(size, LANES):
                inverse[t] = 0.0  # the rest of a last group repeats its last tile
            before = load(total, 0)
            proven = wanted & ask(
                certify, (E, U, V, X, col_counts, sizes, kept, inverse, total, slack_lines)
            )
            if stage == 0 and warm and count_bits(wanted & ~proven) > FEW:
                # Rounds for all sixteen here cost less than stage 2 for these alone.
                run(relax, (S, U, V, 3 * times // 4, 0, omega, floor))
                store(total, 0, before)
                proven = wanted & ask(
                    certify, (E, U, V, X, col_counts, sizes, kept, inverse, total, slack_lines)
                )
            counts[stage] += count_bits(proven)
            if whole:
                run(store_rows, (X, out, mask_stride, row * mask_stride + column))
            if not whole:
                for t in range(size):
                    if proven >> t & 1:
                        take_lane(w, t, w.X, w.U, w.V)
                        put_tile(w, chosen[t], across, mask)
                        put_potentials(w, chosen[t], scale[t], row_out, col_out)
            elif keep:
                for t in range(LANES):
                    for i in range(m):  # of tiles left over too: they are written again
                        row_out[chosen[t], i] = U[i * LANES + t] * inverse[t]
                        col_out[chosen[t], i] = V[i * LANES + t] * inverse[t]
            unproven = wanted & ~proven
            if unproven == 0:
                continue
            if stage == 0:
                if warm:  # stage 2 goes on from the start, whatever the neighbours needed
                    begin(VV, scale, sizes, V, at_most, m)
                for t in range(size):
                    if unproven >> t & 1:
                        w.left[lefts] = chosen[t]
                        for j in range(m):
                            w.left_V[lefts, j] = V[j * LANES + t]
                        lefts += 1
                continue

            # Stage 3, ties: the same on scores with a little noise.
            perturb(S, noise, P, m)
            run(relax, (P, U, V, MORE_ROUNDS * times, 0, omega, floor))
            mask_above(P, U, V, X, m)
            proven = unproven & count_lines(X, row_counts, col_counts, at_most, n, m)
            if proven:
                proven &= ask(
                    prove,
                    (
                        E,
                        X,
                        row_counts,
                        col_counts,
                        U,
                        UU,
                        VV,
                        kept,
                        gaps,
                        SWEEPS,
                        MARGIN,
                        TOLERANCE,
                        slack_lines,
                        n,
                        m,
                    ),
                )
            counts[2] += count_bits(proven)
            for t in range(size):
                if not unproven >> t & 1:
                    continue
                if proven >> t & 1:
                    take_lane(w, t, w.X, w.UU, w.VV)
                    score, slack = kept[t], gaps[t]
                else:  # stage 4: the last few
                    paths, score, slack, fine = finish_tile(w, t, n, at_most)
                    counts[3] += 1
                    counts[4] += paths
                    counts[5] += not fine
                rest += score * inverse[t]
                opens = put_settled(w, t, slack, opens, across, mask, row_out, col_out)
    counts[6] = opens
    for t in range(LANES):
        rest += total[t]
    return rest


def box_solver(n: int, m: int, double: bool) -> Any:
    """Compile what the pattern needs, once; numba caches it on disk.

    Returns `solve_box` with the first eleven arguments filled in.
    """
    with _COMPILING:  # threads that ask at the same time must share one result
        return _box_solver(n, m, double)


_COMPILING = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not wait for a thread that only its parent has.
    os.register_at_fork(after_in_child=_COMPILING._at_fork_reinit)


@cache
def _box_solver(n: int, m: int, double: bool) -> Any:
    by_rows = m & (m - 1) == 0
    # Without whole rows the functions are never called, but must be of their type.
    some = m if by_rows else 2
    return partial(
        _compiled(double=double),
        n,
        m,
        *schedule(n, m),
        by_rows,
        relaxer(n, m),
        certifier(n, m, double),
        loader(some, double),
        storer(some),
        price_loader(some),
        prover(double),
    )


@cache
def _compiled(double: bool) -> Any:
    return kernel_for(signature(double))(solve_box)
