"""The proof in whole numbers: never of a mask that is not optimal, and why its limit is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masksolve.kernels.jit import kernel
from masksolve.kernels.lanes import count_lines
from masksolve.kernels.simd import LANES, call_int, pointer
from masksolve.kernels.whole_prover import LIMIT, whole_prover
from tests import naive

WRAPS = 2**31 - 1


@kernel
def run(address, s, x, rows, columns, u, words, scale, u64, v64, kept, gaps, limit, at_most, n, m):
    """Count lines, and look for a proof, of sixteen tiles."""
    held = count_lines(pointer(x, 0), pointer(rows, 0), pointer(columns, 0), at_most != 0, n, m)
    entries, lines = m * m * LANES, m * LANES
    found = call_int(
        address,
        (
            *(pointer(s, 0), pointer(x, 0), pointer(rows, 0), pointer(columns, 0), pointer(u, 0)),
            *(pointer(words, 0), pointer(words, entries), pointer(words, 2 * entries)),
            *(pointer(words, 2 * entries + lines), pointer(scale, 0), pointer(u64, 0)),
            *(pointer(v64, 0), pointer(kept, 0), pointer(gaps, 0), 24, np.float32(0.0)),
            *(limit, at_most, n, m),
        ),
    )
    return held & found, found >> LANES


def prove(s, x, u, n, at_most=False, limit=LIMIT):
    """Return whether a tile's mask is proven, whether its scores are whole, and u and v."""
    m = len(s)
    lanes = [np.repeat(np.asarray(a, t).ravel(), LANES) for a, t in
             ((s, np.float32), (x, np.int8), (u, np.float32))]  # fmt: skip
    counts = [np.empty(m * LANES, np.int8) for _ in "rc"]
    words = np.empty(2 * m * LANES * (m + 1), np.uint32)
    u64, v64 = np.empty(m * LANES), np.empty(m * LANES)
    rest = np.empty(LANES, np.float32), u64, v64, np.empty(LANES), np.empty(LANES)
    proven, whole = run(
        whole_prover(), *lanes[:2], *counts, lanes[2], words, *rest,
        np.uint32(limit), int(at_most), n, m,
    )  # fmt: skip
    assert proven in (0, 0xFFFF)
    return bool(proven), bool(whole), u64[::LANES], v64[::LANES]


def identity(m, n):
    return sum(np.roll(np.eye(m, dtype=np.int8), k, axis=1) for k in range(n))


@settings(deadline=None)
@given(st.data(), st.sampled_from([(1, 2), (1, 3), (2, 3), (2, 4)]), st.booleans())
def test_what_is_proven_is_optimal_and_what_is_optimal_is_proven(data, pattern, at_most):
    n, m = pattern
    low = -6 if not at_most else 0
    grid = st.integers(low, 6)
    s = np.array(data.draw(st.lists(grid, min_size=m * m, max_size=m * m))).reshape(m, m)
    x = identity(m, n)[np.array(data.draw(st.permutations(range(m))))]
    best = naive.best_of_all(s[None].astype(float), n, at_most)[0]
    start = np.full(m, 0.0 if at_most else -float(np.abs(s).max()))
    proven, whole, u, v = prove(s, x, start, n, at_most)
    assert whole
    optimal = (s * x).sum() == best
    assert proven <= optimal
    if not at_most:  # for exactly n potentials from far below may rise as far as they must
        assert proven == optimal
    if proven:
        assert n * (u.sum() + v.sum()) + np.maximum(s - u[:, None] - v, 0).sum() == best


def test_scores_that_are_not_whole_are_left_to_others():
    s = np.array([[1.0, 2.0**-40], [2.0**-40, 1.0]])
    assert prove(s, np.eye(2), [0.0, 0.0], 1)[:2] == (False, False)
    assert prove(s + 1 - s % 1, np.eye(2), [0.0, 0.0], 1)[1]


def planted():
    """Make tiles whose mask is the worst there is."""
    for m in (2, 3, 4):
        s = np.full((m, m), 1.0)
        s[np.arange(m), np.arange(m)] = -1.0
        yield s * np.float32(0.999), np.eye(m, dtype=np.int8)
        yield np.where(s > 0, 1.0, 0.0), np.eye(m, dtype=np.int8)


def test_without_its_limit_what_has_wrapped_looks_settled():
    """The planted absence: the same search, whose potentials may leave 32 bits."""
    for s, x in planted():
        assert prove(s, x, np.zeros(len(s)), 1, limit=WRAPS)[0]
        assert (s * x).sum() < naive.best_of_all(s[None], 1, False)[0]
        assert not prove(s, x, np.zeros(len(s)), 1)[0]


@pytest.mark.parametrize("size", [2.0**-60, 1.0, 2.0**60])
def test_the_scale_does_not_matter(size):
    s = np.array([[3.0, 1.0], [1.0, 2.0]]) * size
    assert prove(s, np.eye(2), np.full(2, -3.0 * size), 1)[:2] == (True, True)
    assert not prove(s, 1 - np.eye(2), np.full(2, -3.0 * size), 1)[0]
