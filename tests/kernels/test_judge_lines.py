"""The compiled verdict on plain masks says what the plain one says."""

import numpy as np
import pytest

import masksolve as ms
from masksolve import MaskViolation, Status
from masksolve.certificate import kept_scores, proven, tile_gaps
from masksolve.kernels.judge_lines import judge_lines

AXES = [(-2, -1), (-1, -2)]


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(
    ("lines", "m", "size"), [(300, 4, 1.0), (7, 9, 1.0), (1, 1, 1.0), (40, 5, 100.0)]
)
def test_sums_are_those_of_the_certificate(lines, m, size, at_most):
    """For potentials of every sign and size, and masks that hold anything."""
    rng = np.random.default_rng(lines)
    scores = np.round(rng.normal(size=(3, lines, m)), 1)
    mask = rng.random(scores.shape) < 0.5
    u = size * rng.normal(size=(3, lines))
    kept, gap, scale = (np.empty((3, lines)) for _ in range(3))
    n, counts = (m + 1) // 2, np.zeros(2, dtype=np.int64)
    judge_lines(scores, False, mask.view(np.int8), u, n, at_most, kept, gap, scale, counts)
    flat, flags = scores.reshape(-1, 1, m), mask.reshape(-1, 1, m)
    gaps = tile_gaps(flat, flags, u.reshape(-1, 1), np.zeros((len(flat), m)), n, at_most)
    np.testing.assert_allclose(gap.reshape(-1), gaps, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(kept.reshape(-1), kept_scores(flat, flags), rtol=1e-12, atol=1e-12)
    tight = gap.reshape(-1) <= 1e-12 * scale.reshape(-1)
    np.testing.assert_array_equal(tight, proven(flat, flags, gaps))
    held = mask.sum(axis=2)
    assert counts.tolist() == [(held > n).sum(), (held < n).sum()]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("pattern", ["2:4,plain", "2:4,plain,at-most"])
def test_masks_from_elsewhere(pattern, axes):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 36, 44))
    mask = ms.solve(rng.normal(size=weights.shape), pattern, axes=axes).mask.copy()
    for status in (Status.FEASIBLE, Status.FEASIBLE if "most" in pattern else Status.UNDERFILLED):
        fast, slow = (ms.certify(weights, mask, pattern, axes=axes, plain=p) for p in (False, True))
        assert fast.status is slow.status is status
        assert fast.objective == pytest.approx(slow.objective, rel=1e-12)
        np.testing.assert_allclose(fast.tiles.gap, slow.tiles.gap, rtol=1e-12, atol=1e-14)
        mask[0, 1:3] = False
    mask[1, 4:8, 4:8] = True
    refusals = []
    for plain in (False, True):
        with pytest.raises(MaskViolation) as caught:
            ms.certify(weights, mask, pattern, axes=axes, plain=plain)
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]
