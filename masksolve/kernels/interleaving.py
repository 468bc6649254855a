"""A run of 16 m entries is 16 lines of m: from memory's order to lanes and back, for any m.

Split, vector j has entry j of each line. Halves of an even m are told apart by shuffles of
neighbours (Highway's LoadInterleaved and StoreInterleaved). For odd m, entry t m + j lies in
lane l = (t m + j) mod 16 of vector s with s = (j - l) / 16 modulo m: so lane l of all vectors is
rotated by l, one bit of l at a time, and the lanes of each are permuted.
"""

from __future__ import annotations

from llvmlite import ir

from masksolve.kernels.vectors import LANES, Vector, constant, shuffle

__all__ = ["join", "join_words", "split", "split_run"]

FOUR = 4
BITS = (1, 2, 4, 8)
"""Of a lane's number."""


def split(builder, vectors):
    """Split a run of 16 m entries into m vectors, the j-th with entry j of every line."""
    found = separate(builder, vectors)
    twos = len(vectors) & -len(vectors)
    for k in range(twos):
        found[k::twos] = rotate(builder, found[k::twos])
    return found


def join(builder, vectors):
    """Undo `split`."""
    found = list(vectors)
    twos = len(vectors) & -len(vectors)
    for k in range(twos):
        found[k::twos] = rotate_back(builder, found[k::twos])
    return unite(builder, found)


def split_run(builder, entries, lanes, m):
    """Split a run of 16 m entries, which `entries(first, lanes)` reads, as `split` does.

    Where m is a multiple of four, runs of four are read to where shuffles within four lanes do.
    """
    if m % FOUR:
        return split(builder, [entries(k * LANES, lanes) for k in range(m)])
    found = []
    four = Vector(f"four {lanes.name}", lanes.entry, lanes.array_entry, FOUR)
    for column in range(0, m, FOUR):
        rows = []
        for r in range(FOUR):
            parts = [entries(t * m + column, four) for t in range(r, LANES, FOUR)]
            rows.append(concatenate(builder, parts))
        found += transpose(builder, rows)
    return found


def join_words(builder, words, m):
    """Join words of four entries' bytes to runs that lie side by side in 16 lines of m entries.

    Gives where each run begins, and the run.
    """
    if m % (FOUR * FOUR) == 0:
        for first in range(0, len(words), FOUR):
            for r, row in enumerate(transpose(builder, words[first : first + FOUR])):
                for block in range(LANES // FOUR):
                    order = range(FOUR * block, FOUR * (block + 1))
                    yield (FOUR * block + r) * m + FOUR * first, shuffle(builder, row, row, order)
        return
    each = next(each for each in (4, 2, 1) if m % each == 0)
    narrow = ir.VectorType(ir.IntType(8 * each), LANES)
    row = [
        builder.trunc(builder.lshr(words[j // 4], constant(words[0].type, 8 * (j % 4))), narrow)
        for j in range(0, m, each)
    ]
    for k, run in enumerate(join(builder, row)):
        yield k * LANES * each, run


def concatenate(builder, parts):
    """Put vectors of equal length one after the other."""
    while len(parts) > 1:
        length = range(2 * parts[0].type.count)
        parts = [
            shuffle(builder, a, b, length) for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def transpose(builder, rows):
    """Turn four vectors, within each four lanes."""

    def within(a, b, order):
        blocks = range(0, LANES, FOUR)
        return shuffle(
            builder, a, b, [k // 4 * LANES + block + k % 4 for block in blocks for k in order]
        )

    low, high, left, right = (0, 4, 1, 5), (2, 6, 3, 7), (0, 1, 4, 5), (2, 3, 6, 7)
    a, b, c, d = rows
    halves = [(within(a, b, order), within(c, d, order)) for order in (low, high)]
    return [within(x, y, order) for x, y in halves for order in (left, right)]


def separate(builder, vectors):
    """Split a run of 16 m entries into m vectors, the k-th with every m-th from k on."""
    if len(vectors) % 2:
        return vectors
    pairs = list(zip(vectors[0::2], vectors[1::2], strict=True))
    even = [shuffle(builder, a, b, range(0, 2 * LANES, 2)) for a, b in pairs]
    odd = [shuffle(builder, a, b, range(1, 2 * LANES, 2)) for a, b in pairs]
    halves = zip(separate(builder, even), separate(builder, odd), strict=True)
    return [vector for pair in halves for vector in pair]


def unite(builder, vectors):
    """Undo `separate`."""
    if len(vectors) % 2:
        return vectors
    found = []
    halves = (unite(builder, vectors[k::2]) for k in range(2))
    for even, odd in zip(*halves, strict=True):
        for start in (0, LANES // 2):
            order = [j for k in range(start, start + LANES // 2) for j in (k, LANES + k)]
            found.append(shuffle(builder, even, odd, order))
    return found


def rotate(builder, vectors):
    """Split a run of 16 m entries for odd m."""
    m = len(vectors)
    if m == 1:
        return vectors
    by = pow(LANES, -1, m)
    rows = [vectors[k * by % m] for k in range(m)]
    for bit in BITS:
        rows = [blend(builder, rows[k], rows[k - bit % m], bit) for k in range(m)]
    return [
        shuffle(builder, row, row, [(t * m + j) % LANES for t in range(LANES)])
        for j, row in enumerate(rows)
    ]


def rotate_back(builder, vectors):
    """Undo `rotate`."""
    m = len(vectors)
    if m == 1:
        return vectors
    back = pow(m, -1, LANES)
    rows = [
        shuffle(builder, row, row, [(t - j) * back % LANES for t in range(LANES)])
        for j, row in enumerate(vectors)
    ]
    for bit in BITS:
        rows = [blend(builder, rows[k], rows[(k + bit) % m], bit) for k in range(m)]
    by = pow(LANES, -1, m)
    found = [rows[0]] * m
    for k, row in enumerate(rows):
        found[k * by % m] = row
    return found


def blend(builder, vector, other, bit):
    """Take the other vector's lanes where their number has the bit."""
    return shuffle(builder, vector, other, [t + LANES if t & bit else t for t in range(LANES)])
