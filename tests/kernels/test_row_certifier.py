"""The certificate in single precision never proves what exact arithmetic does not."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.kernels.jit import kernel
from masksolve.kernels.lanes import GUARD, LANES
from masksolve.kernels.row_certifier import OPEN, row_certifier, words_of
from masksolve.kernels.simd import call_int, pointer

ULP = np.float32(2.0**-23)
SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.1754944e-38, 1e-40, 0.5, 1.0, 1 + ULP, 1 - ULP / 2, 3e18]


@kernel
def run(address, w, stride, take_magnitude, u, v, room, sizes, total, counts, mask, bits, words):
    """Certify sixteen tiles."""
    return call_int(
        address,
        (
            *(pointer(w, 0), stride, 0, take_magnitude),
            *(pointer(u, 0), pointer(v, 0), pointer(room, 0), pointer(sizes, 0)),
            *(pointer(total, 0), pointer(counts, 0), pointer(mask, 0), stride, 0),
            *(pointer(bits, 0), pointer(words, 0)),
        ),
    )


def certify(w, n, m, u, v, *, magnitude=False):
    """Return what is proven of w (m, 16 m), the mask and what is kept; u and v are (16, m)."""
    words = np.zeros((m + 1) * words_of(m), dtype=np.uint64)
    lanes = (np.ascontiguousarray(k.T).ravel() for k in (u, v))
    room, total = np.empty(m * LANES, dtype=np.float32), np.zeros(LANES)
    sizes = np.abs(tiles(w, m)).max(axis=(1, 2)).astype(np.float64)
    counts, mask = np.empty(m * LANES, dtype=np.int8), np.full(w.size, 7, dtype=np.int8)
    flat, bits = np.ascontiguousarray(w).ravel(), words.view(np.uint32)
    arguments = (*lanes, room, sizes, total, counts, mask, bits, words)
    proven = run(row_certifier(n, m), flat, w.shape[1], int(magnitude), *arguments)
    return proven, tiles(mask.reshape(w.shape), m), total.sum()


def tiles(matrix, m):
    """Cut a row of sixteen tiles."""
    return matrix.reshape(m, LANES, m).swapaxes(0, 1)


def row_of(tiles_):
    """Put sixteen tiles side by side."""
    return np.ascontiguousarray(tiles_.swapaxes(0, 1)).reshape(tiles_.shape[1], -1)


def truth(s, u, v, n):
    """Tell by exact arithmetic whether u and v prove a tile with every comparison strict."""
    r = [[Fraction(float(s[i, j])) - Fraction(float(v[j])) - Fraction(float(u[i]))
          for j in range(len(v))] for i in range(len(u))]  # fmt: skip
    kept = np.array([[x > 0 for x in row] for row in r])
    strict = all(x != 0 for row in r for x in row)
    full = (kept.sum(axis=0) == n).all() and (kept.sum(axis=1) == n).all()
    return kept, strict and full


values = st.sampled_from(SPECIAL) | st.floats(-4, 4, width=32)
shifts = st.integers(-2, 2)


@given(st.data(), st.sampled_from([(1, 2), (2, 4), (3, 4), (4, 8)]))
def test_no_counterexample(data, pattern):
    """Scores near u + v, by units in the last place: where rounding could decide."""
    n, m = pattern
    u, v = (np.array(data.draw(st.lists(values, min_size=m, max_size=m)), np.float32) for _ in "uv")
    keep = np.zeros((m, m), dtype=bool)
    for k in range(n):
        keep[np.arange(m), (np.arange(m) + k) % m] = True
    s = (u[:, None] + v).astype(np.float32)
    steps = np.array(data.draw(st.lists(shifts, min_size=m * m, max_size=m * m))).reshape(m, m)
    far = data.draw(st.booleans())
    steps = np.where(keep, np.abs(steps) + far, -np.abs(steps) - far)
    for _ in range(3):
        s = np.where(steps > 0, np.nextafter(s, np.float32(np.inf)), s)
        s = np.where(steps < 0, np.nextafter(s, np.float32(-np.inf)), s)
        steps -= np.sign(steps)
    if data.draw(st.booleans()):
        i, j = data.draw(st.integers(0, m - 1)), data.draw(st.integers(0, m - 1))
        s[i, j] = data.draw(values)
    # The other fifteen are proven easily: what is said of the first is said alone.
    easy = np.where(keep, 1.0, 0.25).astype(np.float32)
    all_ = np.stack([s, *[easy] * 15])
    us = np.stack([u, *[np.full(m, 0.5, np.float32)] * 15])
    vs = np.stack([v, *[np.zeros(m, np.float32)] * 15])
    proven, mask, kept = certify(row_of(all_), n, m, us, vs)
    right, strict = truth(s, u, v, n)
    rounded = (s - v) == u[:, None]
    if proven == OPEN:
        assert rounded.any()
        return
    assert not rounded.any()
    assert proven >> 1 == 0x7FFF
    guarded = float(np.abs(u).max()) + float(np.abs(v).max()) > GUARD * float(np.abs(s).max())
    assert bool(proven & 1) == (strict and not guarded)
    np.testing.assert_array_equal(mask[0], right)
    sums = [
        float(a[b].astype(np.float64).sum())
        for a, b in zip(all_, [right, *[keep] * 15], strict=True)
    ]
    # Sums are right to what all tiles together may lose: the others come back later.
    rest = sum(sums[1:]) + (sums[0] if proven & 1 else 0.0)
    assert kept == pytest.approx(rest, abs=1e-13 * sum(map(abs, sums)))


@pytest.mark.parametrize("m", [2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("magnitude", [False, True])
def test_counts_of_all_lines(m, magnitude):
    """Every tile whose lines do not hold n is told, whichever of them it is."""
    n, rng = m // 2, np.random.default_rng(m)
    keep = (np.arange(m)[:, None] + np.arange(m)) % m < n
    s = np.where(keep, 1.0, 0.25).astype(np.float32)
    if magnitude:
        s = s * rng.choice([-1, 1], s.shape).astype(np.float32)
    zeros, halves = np.zeros((LANES, m), np.float32), np.full((LANES, m), 0.5, np.float32)
    for _ in range(20):
        all_, bad = np.stack([s] * LANES), 0
        for t in rng.choice(LANES, rng.integers(0, LANES), replace=False):
            i = rng.integers(m)
            off, on = np.flatnonzero(keep[i])[0], np.flatnonzero(~keep[i])[0]
            kind = rng.integers(3)
            if kind != 1:
                all_[t, i, off] = 0.25  # a row and a column too short
            if kind != 0:
                all_[t, i, on] = 1.0  # kind 2: the row is right, two columns are not
            bad |= 1 << int(t)
        proven, mask, kept = certify(row_of(all_), n, m, halves, zeros, magnitude=magnitude)
        assert proven == 0xFFFF ^ bad
        sizes = np.abs(all_) if magnitude else all_
        np.testing.assert_array_equal(mask, sizes > 0.5)
        good = [t for t in range(LANES) if proven >> t & 1]
        assert kept == pytest.approx(float((sizes * mask)[good].sum(dtype=np.float64)), rel=1e-12)
