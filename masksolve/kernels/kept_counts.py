"""How many entries each row and column of the tiles of a row keep, and what wrong ones cost.

The flags of a row are the bits of words; a word whose fields of m bits all count n is found
right by one comparison.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import (
    bits_from_mask,
    load,
    mask_from_ones,
    popcount,
    prefetch,
    set_,
    store,
)
from masksolve.kernels.simd_widths import load_wide, set_wide
from masksolve.kernels.vectors import LANES

__all__ = ["BLOCK", "WORDS", "charge_columns", "charge_rows", "count_kept"]

BLOCK = 1024
"""Columns whose sums are kept at a time: sixteen tiles at least, of 64 columns at most."""
BITS = 64
WORDS = BLOCK // BITS
"""Words for the flags of a row."""
ALL = (1 << LANES) - 1


@kernel
def count_word(x, place, stride, m, to, counts, words):
    """Count 64 columns, and keep their flags as a word for each row."""
    low = high = set_wide(np.int8(0))
    for i in range(m):
        a, b = load_wide(x, place), load_wide(x, place + 2 * LANES)
        low, high = low + a, high + b
        upper = bits_from_mask(mask_from_ones(b)) << 2 * LANES
        words[i * WORDS + to // BITS] = bits_from_mask(mask_from_ones(a)) | upper
        prefetch(x, place + 2 * BITS)
        place += stride
    store(counts, to, low)
    store(counts, to + 2 * LANES, high)


@kernel
def count_rest(x, place, stride, size, m, to, counts, words):
    """Do the same for fewer columns than a word has bits."""
    whole = size // LANES * LANES
    for i in range(m):
        words[i * WORDS + to // BITS] = 0
    for k in range(0, whole, LANES):
        a = set_(np.int8(0))
        for i in range(m):
            flags = load(x, place + i * stride + k)
            a = a + flags
            words[i * WORDS + to // BITS] |= bits_from_mask(mask_from_ones(flags)) << k
        store(counts, to + k, a)
    for k in range(whole, size):
        held = np.intp(0)
        for i in range(m):
            flag = np.intp(x[place + i * stride + k])
            held += flag
            words[i * WORDS + to // BITS] |= flag << k
        counts[to + k] = held


@kernel
def count_kept(x, corner, stride, size, m, counts, words):
    """Count what columns keep, and keep the flags of each row as bits."""
    whole = size // BITS * BITS
    for k in range(0, whole, BITS):
        count_word(x, corner + k, stride, m, k, counts, words)
    if whole < size:
        count_rest(x, corner + whole, stride, size - whole, m, whole, counts, words)


@kernel
def count_fields(word, m):
    """Count the bits of each field of m bits, a power of two; the counts take their places.

    Twos are not added up but put together, as the highest may overflow a signed word.
    """
    if m > 1:
        even, odd = word & 0x5555555555555555, word >> 1 & 0x5555555555555555
        word = (even ^ odd) | (even & odd) << 1
    if m > 2:
        word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333)
    if m > 4:
        word = (word & 0x0F0F0F0F0F0F0F0F) + (word >> 4 & 0x0F0F0F0F0F0F0F0F)
    if m > 8:
        word = (word & 0x00FF00FF00FF00FF) + (word >> 8 & 0x00FF00FF00FF00FF)
    if m > 16:
        word = (word & 0x0000FFFF0000FFFF) + (word >> 16 & 0x0000FFFF0000FFFF)
    if m > 32:
        word = (word & 0x00000000FFFFFFFF) + (word >> 32 & 0x00000000FFFFFFFF)
    return word


@kernel
def all_hold(n, m, columns):
    """Return what `count_fields` returns where every field of so many columns holds n."""
    word = 0
    for k in range(0, columns, m):
        word |= n << k
    return word


@kernel
def kept_by(words, place, c, m):
    """Count what tile c keeps of a row whose words begin there."""
    k, shift = c * m // BITS, c * m % BITS
    bits = words[place + k] >> shift
    if shift + m > BITS:
        bits = bits & ~(-1 << BITS - shift) | words[place + k + 1] << BITS - shift
    return popcount(bits if m == BITS else bits & ~(-1 << m))


@kernel
def charge_row(words, i, first, last, u, n, m, short, lines):
    """Charge row i of tiles where it does not hold n; count it as `charge_rows` does."""
    for c in range(first, last):
        kept = kept_by(words, i * WORDS, c, m)
        if kept != n:
            short[c] += u[c * m + i] * (n - kept)
            lines[0 if kept > n else 1] += 1


@kernel
def charge_rows(words, tiles, u, n, m, short, lines):
    """Charge rows that do not hold n; count those that hold too many, and too few."""
    for c in range(tiles):
        short[c] = 0.0
    if BITS % m == 0:
        whole, rest = tiles * m // BITS, tiles * m % BITS
        full, last = all_hold(n, m, BITS), all_hold(n, m, rest)
        for i in range(m):
            for k in range(whole):
                if count_fields(words[i * WORDS + k], m) != full:
                    charge_row(words, i, k * BITS // m, (k + 1) * BITS // m, u, n, m, short, lines)
            if count_fields(words[i * WORDS + whole], m) != last and rest > 0:
                charge_row(words, i, whole * BITS // m, tiles, u, n, m, short, lines)
    else:
        for i in range(m):
            charge_row(words, i, 0, tiles, u, n, m, short, lines)


@kernel
def charge_columns(counts, v, size, n, excess, lines):
    """Do the same for columns."""
    for k in range(0, size, LANES):
        if bits_from_mask(load(counts, k) == set_(np.int8(n))) == ALL:
            continue
        for j in range(k, min(k + LANES, size)):
            if counts[j] != n:
                excess[j] += v[j] * (n - counts[j])
                lines[0 if counts[j] > n else 1] += 1
