"""What lines keep is counted as by hand, wherever tiles begin in words."""

import numpy as np
import pytest

from masksolve.kernels.jit import kernel
from masksolve.kernels.kept_counts import BLOCK, WORDS, charge_columns, charge_rows, count_kept
from masksolve.kernels.simd import pointer


@kernel
def count(x, corner, stride, size, m, counts, words):
    count_kept(pointer(x, 0), corner, stride, size, m, pointer(counts, 0), pointer(words, 0))


@kernel
def charge(counts, words, u, v, tiles, n, m, short, excess, lines):
    charge_rows(pointer(words, 0), tiles, pointer(u, 0), n, m, pointer(short, 0), pointer(lines, 0))
    places = pointer(counts, 0), pointer(v, 0), tiles * m
    charge_columns(*places, n, pointer(excess, 0), pointer(lines, 0))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 8, 16, 31, 32, 33, 63, 64])
def test_as_by_hand(m):
    """Right lines cost nothing; each line too short or too long costs its potential each."""
    rng = np.random.default_rng(m)
    n = (m + 1) // 2
    for tiles in {1, 5, 64 // m + 1, BLOCK // m}:
        size = tiles * m
        right = np.tile(np.add.outer(np.arange(m), np.arange(m)) % m < n, tiles)
        for wrong in (0.0, 0.02, 0.5):
            mask = right ^ (rng.random((m, size)) < wrong)
            wide = np.zeros((m + 1, size + 40), dtype=np.int8)
            wide[1:, 7 : 7 + size] = mask
            counts, words = np.zeros(BLOCK, np.int8), np.zeros(m * WORDS + 1, np.int64)
            count(wide.reshape(-1), size + 47, size + 40, size, m, counts, words)
            assert counts[:size].tolist() == mask.sum(axis=0).tolist()
            short, excess, lines = np.full(tiles, 9.0), np.zeros(BLOCK), np.zeros(2, np.int64)
            u, v = rng.integers(-9, 9, (2, size)).astype(float)  # exact, in any order
            charge(counts, words, u, v, tiles, n, m, short, excess, lines)
            rows = mask.reshape(m, tiles, m).sum(axis=2).T
            assert short.tolist() == (u.reshape(tiles, m) * (n - rows)).sum(axis=1).tolist()
            assert excess[:size].tolist() == (v * (n - mask.sum(axis=0))).tolist()
            held = np.concatenate([rows.ravel(), mask.sum(axis=0)])
            assert lines.tolist() == [(held > n).sum(), (held < n).sum()]
