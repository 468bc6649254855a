"""The last half round, and the certificate in single precision that comes with it.

Theorem. Let s, v and u be float32, finite, and fl(s - v) the difference as float32 rounds it.
If fl(s - v) > u then s - v > u, and if fl(s - v) < u then s - v < u. For rounding is monotone and
u its own rounding: s - v <= u would give fl(s - v) <= fl(u) = u.

So let u lie strictly between the n-th and the (n+1)-th largest fl(s - v) of its row. Then the
row holds n entries above u + v and no others but those below it, and if all rows of a tile are
so, and every column holds n, the tile is proven, with every comparison strict: it has no other
optimum. The network that sets u has that pair at hand, so two comparisons a row tell what would
take two an entry.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types

from masksolve.kernels.jit import callback, kernel
from masksolve.kernels.middle_pair import middle_pair
from masksolve.kernels.simd import LANES, bits_from_mask, if_then_else, load, promote, set_, store
from masksolve.kernels.tile_lanes import store_words

__all__ = ["strict_certifier", "words_of"]

SINGLES = types.CPointer(types.float32)
DOUBLES = types.CPointer(types.float64)
BYTES = types.CPointer(types.int8)
WORDS = types.CPointer(types.uint32)
CERTIFIER: Any = types.intp(
    SINGLES, SINGLES, SINGLES, WORDS, DOUBLES, DOUBLES, BYTES, types.intp, types.intp
)


def words_of(m: int) -> int:
    """Return how many words of four entries' bytes a row of a tile takes."""
    return -(-m // 4)


@kernel
def add_word(S, at, V, side, u, kept, entries):
    """Mask up to four entries of a row, a byte each; return the word, and kept with the scores."""
    word, none, nothing = set_(np.uint32(0)), set_(np.uint32(0)), set_(np.float32(0.0))
    for b in range(entries):
        s = load(S, at + b * LANES)
        x = s - load(V, side + b * LANES) > u
        word = word | if_then_else(x, set_(np.uint32(1 << 8 * b)), none)
        kept = kept + promote(if_then_else(x, s, nothing))
    return word, kept


@cache
def strict_certifier(n: int, m: int) -> int:
    """Compile the last half round and the certificate for exactly n of m float32."""
    whole, rest, words = m // 4, m % 4, words_of(m)
    each = np.uint32(n * 0x01010101)
    last = np.uint32(n * (0x01010101 & ((1 << 8 * rest) - 1)))

    @callback(CERTIFIER, n, m)
    def certify(S, U, V, X, inverse, total, mask, stride, place):
        """Set U, mask what is above u + v; return which tiles this proves.

        X gets the masks, a byte an entry, four to a word of lanes; where there is a stride they
        are written to `mask` as well, sixteen adjacent tiles from `place` on. Adds the kept
        scores of proven tiles, times inverse, to total.
        """
        half, nothing, none = set_(np.float32(0.5)), set_(np.float32(0.0)), set_(np.uint32(0))
        zero = set_(0.0)
        kept = zero
        open_ = nothing > nothing
        for i in range(m):
            nth, following = middle_pair(S, i * m * LANES, LANES, V, n, m)
            u = half * (nth + following)
            open_ = open_ | (u == nth) | (u == following)
            store(U, i * LANES, u)
            for k in range(whole):
                at = (i * m + 4 * k) * LANES
                word, kept = add_word(S, at, V, 4 * k * LANES, u, kept, 4)
                store(X, (i * words + k) * LANES, word)
            if rest:
                at = (i * m + 4 * whole) * LANES
                word, kept = add_word(S, at, V, 4 * whole * LANES, u, kept, rest)
                store(X, (i * words + whole) * LANES, word)
            if stride:
                store_words(X, i * words * LANES, mask, place + i * stride, m)
        sure = nothing == nothing
        for k in range(words):
            count = none
            for i in range(m):
                count = count + load(X, (i * words + k) * LANES)
            sure = sure & (count == set_(each if k < whole else last))
        sure = if_then_else(open_, nothing > nothing, sure)
        store(total, 0, load(total, 0) + if_then_else(sure, kept * load(inverse, 0), zero))
        return bits_from_mask(sure)

    return certify
