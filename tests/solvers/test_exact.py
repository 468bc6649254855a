"""Method "exact": optimal and proven, for every tile side and every range of scores."""

import numpy as np
import pytest
from hypothesis import given

import masksolve as ms
from masksolve import Pattern
from tests import naive, strategies

TINY = [(n, m) for m in (1, 2, 3, 4) for n in range(1, m + 1)]
SIDES = [1, 2, 3, 5, 8, 13, 16, 32, 64]
EXTREMES = [(n, m) for m in SIDES for n in sorted({1, max(m // 2, 1), max(m - 1, 1), m})]


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [*TINY, (1, 5), (2, 5), (3, 5), (4, 5)])
def test_equals_enumeration_or_the_row_by_row_table(n, m, at_most):
    rng = np.random.default_rng(10 * n + m)
    scores = strategies.random_tiles(rng, 210 if m < 5 else 14, m)
    scores[1::2] *= rng.choice([-1, 1], scores[1::2].shape)
    result = ms.solve(scores, Pattern(n, m, at_most=at_most), score=None)
    if m < 5:
        best = naive.best_of_all(scores, n, at_most)
    else:
        best = [naive.best_by_rows(tile, n, at_most) for tile in scores]
    size = np.abs(scores).sum(axis=(1, 2))
    assert (np.abs(result.tiles.objective.ravel() - best) <= 1e-14 * size).all()
    assert result.status is ms.Status.OPTIMAL


def extreme_scores(rng, m):
    """Scores at the edges of float64, and as many ties as there can be: (tiles, m, m)."""
    shape = (2, m, m)
    sign = rng.choice([-1.0, 1.0], shape)
    wide = 10.0 ** rng.uniform(-6, 6, shape)
    wider = 10.0 ** rng.uniform(-300, 280, shape)
    subnormal = rng.integers(0, 2**40, shape) * 5e-324
    huge = 2.0**959 * rng.uniform(0.5, 1.0, shape)
    lines = 10.0 ** rng.uniform(-6, 6, (2, m, 1)) + 10.0 ** rng.uniform(-6, 6, (2, 1, m))
    free = [wide, wider, subnormal, huge, lines, rng.integers(0, 3, shape) * 0.1]
    tied = [np.zeros(shape), np.full(shape, 0.1), np.broadcast_to(wide[:, :1], shape)]
    return np.concatenate([*free, *(sign * s for s in free), *tied, *(-s for s in tied)])


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), EXTREMES)
def test_extreme_scores_are_proven(n, m, at_most):
    scores = extreme_scores(np.random.default_rng(m), m)
    pattern = Pattern(n, m, at_most=at_most)
    result = ms.solve(scores, pattern, score=None)
    ms.check_mask(result.mask, pattern)
    assert result.status is ms.Status.OPTIMAL
    assert result.gap <= 1e-12 * np.abs(scores).sum()


@given(strategies.scores((4, 12), signed=True))
def test_plain_keeps_the_top_n_of_each_group(scores):
    for n in (1, 2, 3):
        result = ms.solve(scores, f"{n}:4,plain", score=None)
        top = np.sort(scores.reshape(4, 3, 4))[..., -n:].sum(axis=-1)
        slack = 1e-14 * np.abs(scores).sum()
        np.testing.assert_allclose(result.tiles.objective, top, rtol=0, atol=slack)
        assert result.status is ms.Status.OPTIMAL
        assert ms.is_valid(result.mask, f"{n}:4,plain")


@given(strategies.scores((3, 10), signed=True))
def test_plain_at_most_keeps_positive_scores_only(scores):
    result = ms.solve(scores, "2:4,plain,at-most", score=None)
    assert (scores[result.mask] > 0).all()
    padded = np.pad(np.maximum(scores, 0), ((0, 0), (0, 2)))
    top = np.sort(padded.reshape(3, 3, 4))[..., -2:].sum(axis=-1)
    np.testing.assert_allclose(result.tiles.objective, top, rtol=1e-14)


@pytest.mark.parametrize("pattern", ["2:4", "4:8", "4:8,at-most", "2:4,plain"])
def test_equal_scores_are_settled_by_the_tile_alone(pattern):
    weights = np.random.default_rng(0).integers(-2, 3, (32, 32))
    whole = ms.solve(weights, pattern).mask
    for i in range(0, 32, 8):
        part = ms.solve(weights[i : i + 8, 8:16], pattern).mask
        np.testing.assert_array_equal(whole[i : i + 8, 8:16], part)


def test_plain_ties_go_to_the_lower_column():
    mask = ms.solve(np.ones((1, 8)), "2:4,plain").mask
    assert mask.astype(int).tolist() == [[1, 1, 0, 0] * 2]


@pytest.mark.parametrize("pattern", ["2:4", "2:4,at-most", "2:4,plain", "2:4,plain,at-most"])
def test_kept_potentials_prove_the_bound(pattern):
    from masksolve.certificate import tile_gaps

    rng = np.random.default_rng(0)
    weights, parsed = rng.normal(size=(8, 12)), Pattern.parse(pattern)
    result = ms.solve(weights, pattern, score=None, potentials=True)
    h, w = parsed.tile_shape
    u, v = result.tiles.row_potentials, result.tiles.column_potentials
    grid = (8 // h, 12 // w)
    assert (u.shape, v.shape) == ((*grid, h), (*grid, w))

    def cut(a):
        return a.reshape(grid[0], h, grid[1], w).swapaxes(1, 2).reshape(-1, h, w)

    gaps = tile_gaps(
        cut(weights), cut(result.mask), u.reshape(-1, h), v.reshape(-1, w), 2, parsed.at_most
    )
    assert np.abs(gaps).max() <= 1e-14
    assert gaps.sum() == pytest.approx(result.gap, abs=1e-14)
