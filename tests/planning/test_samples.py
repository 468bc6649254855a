"""Samples against whole populations."""

import numpy as np
import pytest

import masksolve as ms
from masksolve.planning.measure import ratio_estimate


def exact_share(weights, pattern):
    return ms.plan(weights, [pattern]).rows[0].kept_share


def covered(weights, pattern, sample, seeds, stretch=1.0):
    """Share of the seeds whose interval holds the truth, stretched about its middle."""
    truth = exact_share(weights, pattern)
    hits = 0
    for seed in range(seeds):
        row = ms.plan(weights, [pattern], sample=sample, seed=seed, threads=1).rows[0]
        low, high = row.interval
        middle, half = (low + high) / 2, stretch * (high - low) / 2
        hits += abs(truth - middle) <= half
    return hits / seeds


@pytest.fixture(scope="module")
def uneven():
    """Tiles of very different size, ragged at both edges."""
    rng = np.random.default_rng(4)
    rows = rng.lognormal(sigma=0.7, size=(131, 1))
    return (rng.normal(size=(131, 126)) * rows).astype(np.float32)


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain", "4:8"])
def test_intervals_hold_the_truth(uneven, pattern):
    # 300 draws of 95 %: within 3 standard errors, and some for 40 tiles being few.
    assert 0.90 <= covered(uneven, pattern, 40, 300) <= 0.99


def test_intervals_half_as_wide_do_not(uneven):
    assert covered(uneven, "2:4", 40, 300, stretch=0.5) < 0.80


def test_estimates_are_right_on_average(uneven):
    truth = exact_share(uneven, "2:4")
    found = [
        ms.plan(uneven, ["2:4"], sample=60, seed=seed, threads=1).rows[0].kept_share
        for seed in range(100)
    ]
    assert np.mean(found) == pytest.approx(truth, abs=4 * np.std(found) / 10)


def test_a_sample_of_all_tiles_is_no_sample(weights):
    want = ms.plan(weights, ["2:4"])
    assert ms.plan(weights, ["2:4"], sample=60).rows == want.rows
    assert ms.plan(weights, ["2:4"], sample=10**9).rows == want.rows


def test_a_sample_of_equal_tiles_is_exact():
    weights = np.tile(np.arange(16.0).reshape(4, 4), (8, 8))
    row = ms.plan(weights, ["2:4"], sample=5).rows[0]
    assert row.solved_tiles == 5
    assert row.kept == pytest.approx(ms.solve(weights, "2:4").objective)
    assert row.interval == pytest.approx((row.kept_share, row.kept_share))


def test_samples_depend_on_the_seed_alone(uneven):
    one = ms.plan(uneven, ["2:4", "1:4"], sample=30, seed=7, threads=1)
    two = ms.plan(uneven, ["1:4", "2:4"], sample=30, seed=7, threads=2)
    assert one.rows == two.rows[::-1]
    assert one.rows != ms.plan(uneven, ["2:4", "1:4"], sample=30, seed=8).rows


def test_layers_are_drawn_independently(uneven):
    one, two = ms.plan({"a": uneven, "b": uneven}, ["2:4"], sample=30).layers
    assert one.kept != two.kept
    (total,) = ms.plan({"a": uneven, "b": uneven}, ["2:4"], sample=30).rows
    assert total.variance == pytest.approx(one.variance + two.variance)
    assert total.solved_tiles == 60


def test_the_variance_is_that_of_the_ratio_estimator():
    rng = np.random.default_rng(5)
    size = rng.uniform(1, 2, 400)
    part = size * rng.uniform(0.4, 0.8, 400)
    draws = [rng.choice(400, 80, replace=False) for _ in range(2000)]
    found = [ratio_estimate(part[d], size[d], 400, size.sum()) for d in draws]
    estimates, variances = np.array(found).T
    assert np.mean(estimates) == pytest.approx(part.sum(), rel=2e-3)
    assert np.mean(variances) == pytest.approx(np.var(estimates), rel=0.1)
