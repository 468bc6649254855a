"""The certificate in single precision never proves what exact arithmetic does not."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.kernels.jit import kernel
from masksolve.kernels.simd import LANES, call_int, pointer
from masksolve.kernels.strict_certifier import strict_certifier, words_of

ULP = np.float32(2.0**-23)
SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.1754944e-38, 1e-40, 0.5, 1.0, 1 + ULP, 1 - ULP / 2, 3e18]


@kernel
def run(address, s, u, v, x, inverse, total, mask, stride):
    """Certify sixteen tiles."""
    return call_int(
        address,
        (
            *(pointer(s, 0), pointer(u, 0), pointer(v, 0), pointer(x, 0)),
            *(pointer(inverse, 0), pointer(total, 0), pointer(mask, 0), stride, 0),
        ),
    )


def certify(s, n, v):
    """Return what is proven of s (16, m, m) by v (16, m), u (16, m), masks, and what is kept."""
    m = s.shape[1]
    s_, v_ = (np.ascontiguousarray(np.moveaxis(k, 0, -1)).ravel() for k in (s, v))
    u_, x = np.empty(m * LANES, np.float32), np.empty(m * words_of(m) * LANES, np.uint32)
    inverse, total = np.full(LANES, 0.5), np.zeros(LANES)
    mask = np.full((m, m * LANES), 7, dtype=np.int8)
    arguments = (s_, u_, v_, x, inverse, total, mask.reshape(-1), mask.strides[0])
    proven = run(strict_certifier(n, m), *arguments)
    words = x.reshape(m, words_of(m), LANES).transpose(2, 0, 1)
    bytes_ = np.ascontiguousarray(words).astype("<u4").view(np.int8).reshape(LANES, m, -1)
    np.testing.assert_array_equal(mask.reshape(m, LANES, m).swapaxes(0, 1), bytes_[..., :m])
    assert not bytes_[..., m:].any()
    return proven, u_.reshape(m, LANES).T, bytes_[..., :m], 2 * total


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


@given(st.data(), st.sampled_from([(2, 4), (3, 4), (2, 5), (3, 6), (4, 8)]))
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
    vs = np.stack([v, *[np.zeros(m, np.float32)] * 15])
    proven, us, mask, kept = certify(all_, n, vs)
    assert proven >> 1 == 0x7FFF
    right, strict = truth(s, us[0], v, n)
    differences = np.sort(s - v, axis=1)
    open_ = (us[0] == differences[:, m - n]) | (us[0] == differences[:, m - n - 1])
    assert bool(proven & 1) == (strict and not open_.any())
    if proven & 1:
        np.testing.assert_array_equal(mask[0], right)
    for t, tile in enumerate(all_):
        sum_ = float(tile[mask[t] != 0].astype(np.float64).sum()) if proven >> t & 1 else 0.0
        assert kept[t] == pytest.approx(sum_, abs=1e-14 * float(np.abs(tile).sum()))


@pytest.mark.parametrize("m", [2, 3, 4, 6, 8, 11, 12, 64])
def test_every_line_counts(m):
    """A tile is proven if all its rows and columns hold n, whichever of them does not."""
    n, rng = m // 2, np.random.default_rng(m)
    keep = (np.arange(m)[:, None] + np.arange(m)) % m < n
    s = np.where(keep, 1.0, 0.25).astype(np.float32)
    zeros = np.zeros((LANES, m), np.float32)
    for _ in range(20):
        all_, bad = np.stack([s] * LANES), 0
        for t in rng.choice(LANES, rng.integers(0, LANES), replace=False):
            i = rng.integers(m)
            off, on = np.flatnonzero(keep[i])[0], np.flatnonzero(~keep[i])[0]
            kind = rng.integers(3)
            if kind != 1:
                all_[t, i, off] = 0.25  # one of n is as large as the next
            if kind != 0:
                all_[t, i, on] = 1.0  # kind 2: the row is right, two columns are not
            bad |= 1 << int(t)
        proven, us, mask, kept = certify(all_, n, zeros)
        assert proven == 0xFFFF ^ bad
        np.testing.assert_array_equal(mask, all_ > us[:, :, None])
        sums = [float((tile * keep).sum(dtype=np.float64)) for tile in all_]
        assert kept == pytest.approx([s * (proven >> t & 1) for t, s in enumerate(sums)], rel=1e-12)
