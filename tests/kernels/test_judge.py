"""The compiled judge against the certificate's NumPy, and against fractions."""

from fractions import Fraction

import numpy as np
import pytest

from masksolve.certificate import kept_scores, tile_gaps
from masksolve.kernels.judge import BLOCK, judge_matrix


def tiles_of(matrix, m):
    rows, columns = matrix.shape
    cut = matrix.reshape(rows // m, m, columns // m, m).swapaxes(1, 2)
    return cut.reshape(-1, m, m)


def judged(scores, magnitude, mask, u, v, n, at_most=False):
    kept, gap, scale = np.empty((3, len(u)))
    lines = np.empty(2, dtype=np.int64)
    judge_matrix(scores, magnitude, mask.view(np.int8), u, v, n, at_most, kept, gap, scale, lines)
    return kept, gap, scale, lines.tolist()


def exact_gap(s, x, u, v, n):
    """The dual bound less the kept score, as fractions."""
    s, u, v = ([Fraction(float(k)) for k in a.ravel()] for a in (s, u, v))
    m = len(u)
    entries = [(s[i * m + j] - u[i] - v[j], x[i, j]) for i in range(m) for j in range(m)]
    gap = sum(max(Fraction(0), -r if kept else r) for r, kept in entries)
    gap += sum(u[i] * (n - int(x[i].sum())) for i in range(m))
    return gap + sum(v[j] * (n - int(x[:, j].sum())) for j in range(m))


def problem(m, across, dtype):
    """Short and overfull lines, tiles that hold n, signs, potentials that swallow scores."""
    rng = np.random.default_rng(m)
    scores = rng.standard_normal((2 * m, across * m)).astype(dtype)
    mask = rng.random(scores.shape) < 0.5
    masks = tiles_of(mask, m)
    masks[::3] = np.add.outer(np.arange(m), np.arange(m)) % m < m // 2
    mask = masks.reshape(2, across, m, m).swapaxes(1, 2).reshape(scores.shape)
    u, v = rng.standard_normal((2, len(masks), m))
    u[1::7] *= 1e9
    return scores, mask, u, v


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m", [2, 3, 4, 5, 8, 12, 16, 32, 48, 64])
def test_it_agrees_with_the_certificate(m, dtype):
    """Also where rows are longer than a block, and no multiple of sixteen."""
    n = m // 2
    scores, mask, u, v = problem(m, BLOCK // m + 3, dtype)
    tiles, masks = tiles_of(scores.astype(np.float64), m), tiles_of(mask, m)
    held = np.concatenate([masks.sum(axis=1).ravel(), masks.sum(axis=2).ravel()])
    size = np.abs(u).sum(axis=1) * m + np.abs(tiles).sum(axis=(1, 2))
    for magnitude in (True, False):
        s = np.abs(tiles) if magnitude else tiles
        for at_most in (False, True):
            kept, gap, scale, lines = judged(scores, magnitude, mask, u, v, n, at_most)
            expected = tile_gaps(s, masks, u, v, n, at_most)
            assert (np.abs(gap - expected) <= 1e-13 * size).all()
            assert np.allclose(kept, kept_scores(s, masks), rtol=1e-12, atol=1e-12)
            largest, weight = np.abs(tiles).max(axis=(1, 2)), kept_scores(np.abs(tiles), masks)
            assert np.allclose(scale, np.maximum(weight, largest), rtol=1e-12)
            assert lines == [(held > n).sum(), (held < n).sum()]


@pytest.mark.parametrize("m", [2, 4, 5, 16])
def test_its_gaps_are_those_of_fractions(m):
    """To the roundings that the certificate promises."""
    scores, mask, u, v = problem(m, 3, "f4")
    u[1::7] /= 1e9
    _, gap, scale, _ = judged(scores, False, mask, u, v, m // 2)
    for t, (s, x) in enumerate(zip(tiles_of(scores, m), tiles_of(mask, m), strict=True)):
        error = abs(Fraction(gap[t]) - exact_gap(s, x, u[t], v[t], m // 2))
        assert error <= 8 * m * m * 2.0**-52 * scale[t]


@pytest.mark.parametrize("m", [2, 3, 4, 8, 64])
def test_a_tile_is_judged_by_itself(m):
    """Its figures are the same to the last bit wherever it is."""
    scores, mask, u, v = problem(m, 19, "f4")
    together = judged(scores, True, mask, u, v, m // 2)
    for t in range(38):
        r, c = t // 19 * m, t % 19 * m
        own = (np.ascontiguousarray(a[r : r + m, c : c + m]) for a in (scores, mask))
        s, x = own
        alone = judged(s, True, x, u[t : t + 1], v[t : t + 1], m // 2)
        assert [a[0] for a in alone[:3]] == [a[t] for a in together[:3]]


def test_rows_may_lie_apart():
    scores, mask, u, v = problem(4, 9, "f4")
    wide, flags = np.zeros((8, 50), dtype="f4"), np.zeros((8, 50), dtype=np.bool_)
    wide[:, 5:41], flags[:, 5:41] = scores, mask
    found = judged(wide[:, 5:41], True, flags[:, 5:41], u, v, 2)
    for a, b in zip(found, judged(scores, True, mask, u, v, 2), strict=True):
        assert np.array_equal(a, b)


def test_rounding_is_paid_for():
    """Potentials that swallow scores add to the gap what they may hide."""
    scores = np.ones((2, 2), dtype=np.float32)
    u = np.array([[1e16, 1e16]])
    eye = np.eye(2, dtype=np.bool_)
    _, gap, _, _ = judged(scores, True, eye, u, -u, 1)
    expected = tile_gaps(np.ones((1, 2, 2)), eye[None], u, -u, 1, False)
    assert gap > 2.0
    assert np.allclose(gap, expected, rtol=1e-12)


@pytest.mark.parametrize("m", [2, 3, 8, 16])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_proves_nothing(wrong, m):
    """In its own tile alone."""
    eye = np.eye(m, dtype=np.bool_)
    scores, mask = np.tile(eye.astype("f4"), 5), np.tile(eye, 5)
    for which in (0, 1):
        u, v = np.zeros((2, 5, m))
        (u, v)[which][2, m - 1] = wrong
        _, gap, scale, _ = judged(scores, True, mask, u, v, 1)
        assert (gap <= 1e-12 * scale).tolist() == [True, True, False, True, True]
