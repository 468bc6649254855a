"""Masks as integers below their number, row by row; see `masksolve.kernels.counting`.

The masks of a tile are ordered by their first row, then the second, ...; a row first by how
many ones it puts into each class of columns that lack the same (b, in lexicographic order),
then by what the later rows do, then by which columns of the classes it takes. So a mask's
integer is

    offset(b) + weight(b) * (integer of the later rows) + (integer of the columns taken),

where weight(b) = prod binom(a_l, b_l) and offset(b) = sum of weight(b') N(s') over the
choices b' before b.

Integers are in a mixed radix, the primes of the count: digits, least first, in int64.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.counting import number
from masksolve.kernels.jit import kernel

__all__ = ["rank_tile", "to_digits", "unrank_tile"]


@kernel
def to_digits(residues, radices, inverses, digits):
    """Turn numbers given modulo each radix, (radices, count), into digits (Garner)."""
    size, count = residues.shape
    for s in range(count):
        for k in range(size):
            radix = radices[k]
            value = 0
            power = 1
            for j in range(k):
                value = (value + digits[s, j] * power) % radix
                power = power * radices[j] % radix
            digits[s, k] = (residues[k, s] - value) % radix * inverses[k] % radix


@kernel
def _times(value, factor, plus, radices):
    """Do value = value * factor + plus."""
    carry = plus
    for k in range(len(value)):
        carry += value[k] * factor
        value[k] = carry % radices[k]
        carry //= radices[k]


@kernel
def _divide(value, divisor, radices):
    """Do value = value // divisor, and return the remainder."""
    rest = 0
    for k in range(len(value) - 1, -1, -1):
        rest = rest * radices[k] + value[k]
        value[k] = rest // divisor
        rest %= divisor
    return rest


@kernel
def _less(a, b):
    for k in range(len(a) - 1, -1, -1):
        if a[k] != b[k]:
            return a[k] < b[k]
    return False


@kernel
def _add(a, b, sign, radices):
    """Do a = a + sign * b."""
    carry = 0
    for k in range(len(a)):
        carry += a[k] + sign * b[k]
        a[k] = carry % radices[k]
        carry = (carry - a[k]) // radices[k]


@kernel
def _first_choice(least, most, ones, b):
    """Write the first choice: as many ones as can be in the last classes."""
    for level in range(len(b)):
        b[level] = least[level]
        ones -= least[level]
    for level in range(len(b) - 1, -1, -1):
        more = min(ones, most[level] - least[level])
        b[level] += more
        ones -= more
    return ones == 0


@kernel
def _next_choice(least, most, b):
    """Step to the next choice in lexicographic order; return whether there is one."""
    spare = 0
    for level in range(len(b) - 1, -1, -1):
        if b[level] < most[level] and spare > 0:
            b[level] += 1
            spare -= 1
            for k in range(level + 1, len(b)):
                b[k] = least[k]
            for k in range(len(b) - 1, level, -1):
                more = min(spare, most[k] - least[k])
                b[k] += more
                spare -= more
            return True
        spare += b[level] - least[level]
    return False


@kernel
def _classes(lacks, low, left, counts, least, most):
    """Count the columns of each class; those that lack a one a row must get one."""
    counts[:] = 0
    for j in range(len(lacks)):
        counts[lacks[j] - low] += 1
    for level in range(len(counts)):
        most[level] = counts[level] if low + level > 0 else 0
        least[level] = counts[level] if low + level == left else 0


@kernel
def _block(counts, b, low, next_low, next_state, columns, below, binomials, table, block):
    """Find how many masks begin with a choice: write the number, return its weight."""
    next_state[:] = 0
    weight = 1
    for level in range(len(counts)):
        weight *= binomials[counts[level], b[level]]
        if counts[level] > b[level]:
            next_state[low + level - next_low] += counts[level] - b[level]
        if b[level] > 0:
            next_state[low + level - 1 - next_low] += b[level]
    block[:] = table[number(next_state, columns, below)]
    return weight


@kernel
def unrank_tile(value, radices, ones, lows, sizes, first, digits, below, binomials, mask):
    """Write the mask (rows, columns) of an integer; value is used up.

    ``lows[R]``, ``sizes[R]``: levels when R rows are left, whose states have the numbers
    ``digits[first[R] : first[R + 1]]``.
    """
    rows, columns = mask.shape
    lacks = np.full(columns, lows[rows], dtype=np.int64)
    block = np.empty(len(value), dtype=np.int64)
    for row in range(rows):
        left = rows - row
        low, next_low = lows[left], lows[left - 1]
        counts = np.empty(sizes[left], dtype=np.int64)
        least, most, b = np.empty_like(counts), np.empty_like(counts), np.empty_like(counts)
        next_state = np.empty(sizes[left - 1], dtype=np.int64)
        table = digits[first[left - 1] : first[left]]
        _classes(lacks, low, left, counts, least, most)
        _first_choice(least, most, ones, b)
        while True:
            weight = _block(
                counts, b, low, next_low, next_state, columns, below, binomials, table, block
            )
            _times(block, weight, 0, radices)
            if _less(value, block):
                break
            _add(value, block, -1, radices)
            if not _next_choice(least, most, b):
                return False
        taken = _divide(value, weight, radices)
        for level in range(len(counts)):
            ways = binomials[counts[level], b[level]]
            which = taken % ways
            taken //= ways
            left_in_class, to_take = counts[level], b[level]
            for j in range(columns):
                if lacks[j] != low + level or mask[row, j]:
                    continue
                left_in_class -= 1
                without = binomials[left_in_class, to_take]  # 0 if all that are left are due
                if which < without:
                    continue
                which -= without
                to_take -= 1
                mask[row, j] = True
        for j in range(columns):
            lacks[j] -= mask[row, j]
    return True


@kernel
def rank_tile(mask, radices, ones, lows, sizes, first, digits, below, binomials, value):
    """Write the integer of a mask (rows, columns): what `unrank_tile` undoes."""
    rows, columns = mask.shape
    lacks = np.zeros(columns, dtype=np.int64)
    block = np.empty(len(value), dtype=np.int64)
    value[:] = 0
    for left in range(1, rows + 1):
        row = rows - left
        low, next_low = lows[left], lows[left - 1]
        for j in range(columns):
            lacks[j] += mask[row, j]
        counts = np.empty(sizes[left], dtype=np.int64)
        least, most, b = np.empty_like(counts), np.empty_like(counts), np.empty_like(counts)
        mine = np.zeros_like(counts)
        next_state = np.empty(sizes[left - 1], dtype=np.int64)
        table = digits[first[left - 1] : first[left]]
        _classes(lacks, low, left, counts, least, most)
        for j in range(columns):
            mine[lacks[j] - low] += mask[row, j]
        taken = 0
        weight = 1
        for level in range(len(counts)):
            which = 0
            left_in_class, to_take = counts[level], mine[level]
            for j in range(columns):
                if lacks[j] != low + level:
                    continue
                left_in_class -= 1
                if mask[row, j]:
                    which += binomials[left_in_class, to_take]
                    to_take -= 1
            taken += weight * which
            weight *= binomials[counts[level], mine[level]]
        _times(value, weight, taken, radices)
        _first_choice(least, most, ones, b)
        while (b != mine).any():
            times = _block(
                counts, b, low, next_low, next_state, columns, below, binomials, table, block
            )
            _times(block, times, 0, radices)
            _add(value, block, 1, radices)
            _next_choice(least, most, b)
