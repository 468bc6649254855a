"""The certificate in single precision, where the weights lie: sixteen adjacent tiles by rows.

Theorem. Let s, v and u be float32, finite, and fl(s - v) the difference as float32 rounds it.
If fl(s - v) > u then s - v > u, and if fl(s - v) < u then s - v < u. For rounding is monotone and
u its own rounding: s - v <= u would give fl(s - v) <= fl(u) = u. So a tile in which no
fl(s - v) equals u, and every line of x = [fl(s - v) > u] holds n, is proven, with every
comparison strict: it has no other optimum. Only equality is open, and goes to float64.

A row of tiles is compared as it lies in memory: sixteen entries give sixteen bytes of the mask,
which go to their place at once, and sixteen bits, of which the counts of rows are taken 64 at a
time. Sums of bytes count columns.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from masksolve.kernels.jit import callback, kernel
from masksolve.kernels.lanes import GUARD
from masksolve.kernels.simd import (
    LANES,
    abs_,
    bits_from_mask,
    combine,
    if_then_else,
    load,
    max_,
    ones_from_mask,
    promote,
    set_,
    store,
)
from masksolve.kernels.tile_lanes import load_repeated, store_tiles

__all__ = ["OPEN", "row_certifier", "words_of"]

OPEN = -1
"""Returned where a score less its column's potential equals its row's: float64 must tell."""
NAN = np.float32(np.nan)
SINGLES = types.CPointer(types.float32)
DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
HALVES = types.CPointer(types.uint32)
WORDS = types.CPointer(types.uint64)


def words_of(m: int) -> int:
    """Return how many words of 64 bits a row of sixteen tiles takes."""
    return max(1, m * LANES // 64)


def _fields(value: int, width: int, bits: int = 64) -> int:
    """Repeat a number in each field of a word's lowest bits."""
    return sum(value << k for k in range(0, bits, width))


CERTIFIER: Any = types.intp(
    SINGLES, types.intp, types.intp, types.intp, SINGLES, SINGLES, SINGLES,
    DOUBLES, DOUBLES, BYTES, BYTES, types.intp, types.intp, HALVES, WORDS,
)  # fmt: skip


@kernel
def kept_by(W, first, stride, take_magnitude, mask, place, mask_stride, m):
    """Sum what a mask keeps of a tile."""
    kept = 0.0
    for i in range(m):
        for j in range(m):
            s = np.float64(W[first + i * stride + j])
            if mask[place + i * mask_stride + j]:
                kept += abs(s) if take_magnitude else s
    return kept


@cache
def row_certifier(n: int, m: int) -> int:
    """Compile the certificate for exactly n of m float32; m is a power of two."""
    words = words_of(m)
    full = np.uint64(_fields(n, m, min(64, m * LANES)))  # nothing past sixteen tiles
    ones, twos, fours, bytes_, pairs, quads = (
        np.uint64(_fields((1 << width) - 1, 2 * width) if 2 * width <= m else 0)
        for width in (1, 2, 4, 8, 16, 32)
    )
    field = np.uint64((1 << m) - 1)

    @callback(CERTIFIER, n, m)
    def certify(
        W, stride, first, take_magnitude, U, V, R,
        sizes, total, counts, mask, mask_stride, place, bits, lines,
    ):  # fmt: skip
        """Mask what is above u + v; return which tiles this proves, or `OPEN`.

        W (m, 16 m) from `first` is read, mask from `place` is written. R has room for the
        column potentials by rows, counts for those of columns, and bits, which is lines too,
        for a row more of words than there are rows. Adds the kept scores of proven tiles to
        total. Potentials that dwarf the tile's largest size prove nothing.
        """
        zero = set_(0.0)
        none = zero > zero
        nothing = set_(np.float32(0.0))
        equal = nothing
        kept = zero
        store_tiles(V, 0, R, 0, m)
        for k in range(0, m, 2):
            left, right = k * LANES, (k + 1) * LANES
            v_left, v_right = load(R, left), load(R, right)
            count = ones_from_mask(combine(none, none))
            for i in range(m):
                s_left = load(W, first + i * stride + left)
                s_right = load(W, first + i * stride + right)
                if take_magnitude:
                    s_left, s_right = abs_(s_left), abs_(s_right)
                u_left = load_repeated(U, i * LANES + left // m, m)
                u_right = load_repeated(U, i * LANES + right // m, m)
                above_left, above_right = s_left - v_left, s_right - v_right
                x_left, x_right = above_left > u_left, above_right > u_right
                equal = if_then_else(above_left == u_left, set_(NAN), equal)
                equal = if_then_else(above_right == u_right, set_(NAN), equal)
                x = combine(x_left, x_right)
                one = ones_from_mask(x)
                store(mask, place + i * mask_stride + left, one)
                bits[2 * i * words + k // 2] = bits_from_mask(x)
                count = count + one
                kept = kept + promote(if_then_else(x_left, s_left, nothing))
                kept = kept + promote(if_then_else(x_right, s_right, nothing))
            store(counts, left, count)
        if bits_from_mask(equal == equal) != 0xFFFF:
            return OPEN
        every = set_(np.int8(n))
        for k in range(0, m, 2):
            left, right = load(counts, k * LANES), load(counts, (k + 1) * LANES)
            wrong = combine((left < every) | (every < left), (right < every) | (every < right))
            bits[2 * m * words + k // 2] = bits_from_mask(wrong)
        high, side = nothing, nothing
        for j in range(0, m * LANES, LANES):
            high = max_(high, abs_(load(U, j)))
            side = max_(side, abs_(load(V, j)))
        far = promote(high) + promote(side) > set_(GUARD) * load(sizes, 0)
        proven = 0xFFFF ^ bits_from_mask(far)
        for k in range(words):
            wrong = lines[m * words + k]
            for i in range(m):
                c = lines[i * words + k]
                c = c - ((c >> np.uint64(1)) & ones)
                if m > 2:
                    c = (c & twos) + ((c >> np.uint64(2)) & twos)
                if m > 4:
                    c = (c + (c >> np.uint64(4))) & fours
                if m > 8:
                    c = (c + (c >> np.uint64(8))) & bytes_
                if m > 16:
                    c = (c + (c >> np.uint64(16))) & pairs
                if m > 32:
                    c = (c + (c >> np.uint64(32))) & quads
                wrong = wrong | (c ^ full)
            if wrong:
                for t in range(min(64 // m, LANES)):
                    if (wrong >> np.uint64(t * m)) & field:
                        proven &= ~(1 << (k * 64 // m + t))
        store(total, 0, load(total, 0) + kept)
        if proven != 0xFFFF:  # what the others keep is taken away again
            for t in range(LANES):
                if not proven >> t & 1:
                    total[t] -= kept_by(
                        W,
                        first + t * m,
                        stride,
                        take_magnitude,
                        mask,
                        place + t * m,
                        mask_stride,
                        m,
                    )
        return proven

    return certify
