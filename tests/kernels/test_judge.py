"""The compiled judge against the certificate's NumPy."""

import numpy as np
import pytest

from masksolve.certificate import kept_scores, tile_gaps
from masksolve.kernels.judge import BLOCK, judge_matrix


def tiles_of(matrix, m):
    rows, columns = matrix.shape
    cut = matrix.reshape(rows // m, m, columns // m, m).swapaxes(1, 2)
    return cut.reshape(-1, m, m)


@pytest.mark.parametrize(("m", "dtype"), [(2, "f4"), (4, "f8"), (5, "f4"), (64, "f4")])
def test_it_agrees_with_the_certificate(m, dtype):
    """Short and overfull lines, signs, more tiles than a block, potentials that swallow scores."""
    rng = np.random.default_rng(m)
    n, across = m // 2, BLOCK // m + 3
    scores = rng.standard_normal((2 * m, across * m)).astype(dtype)
    mask = rng.random(scores.shape) < 0.5
    tiles, masks = tiles_of(scores.astype(np.float64), m), tiles_of(mask, m)
    full = np.add.outer(np.arange(m), np.arange(m)) % m < n
    masks[::3] = full  # a copy: put back where it was cut from
    mask = masks.reshape(2, across, m, m).swapaxes(1, 2).reshape(scores.shape)
    u, v = rng.standard_normal((2, len(tiles), m))
    u[1::7] *= 1e9
    held = masks.sum(axis=1), masks.sum(axis=2)
    for magnitude in (True, False):
        s = np.abs(tiles) if magnitude else tiles
        for at_most in (False, True):
            kept, gap, scale = np.empty((3, len(tiles)))
            lines = np.empty(2, dtype=np.int64)
            flags = mask.view(np.int8)
            judge_matrix(scores, magnitude, flags, u, v, n, at_most, kept, gap, scale, lines)
            expected = tile_gaps(s, masks, u, v, n, at_most)
            size = np.abs(u).sum(axis=1) * m + np.abs(tiles).sum(axis=(1, 2))
            assert (np.abs(gap - expected) <= 1e-13 * size).all()
            assert np.allclose(kept, kept_scores(s, masks), rtol=1e-12, atol=1e-12)
            largest = np.abs(tiles).max(axis=(1, 2))
            weight = kept_scores(np.abs(tiles), masks)
            assert np.allclose(scale, np.maximum(weight, largest), rtol=1e-12)
            assert lines.tolist() == [
                sum(int((k > n).sum()) for k in held),
                sum(int((k < n).sum()) for k in held),
            ]


def test_rounding_is_paid_for():
    """Potentials that swallow scores add to the gap what they may hide."""
    scores = np.ones((2, 2), dtype=np.float32)
    u = np.array([[1e16, 1e16]])
    kept, gap, scale = np.empty((3, 1))
    eye = np.eye(2, dtype=np.int8)
    lines = np.empty(2, dtype=np.int64)
    judge_matrix(scores, True, eye, u, -u, 1, False, kept, gap, scale, lines)
    expected = tile_gaps(np.ones((1, 2, 2)), eye[None] > 0, u, -u, 1, False)
    assert gap > 2.0
    assert np.allclose(gap, expected, rtol=1e-12)
