"""Method "entropic": the projections, the rounding, and that scale does not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from masksolve import Pattern, Status
from masksolve.kernels.entropic import project_tiles, round_plans
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("entropic")


@given(strategies.problems())
def test_masks_are_valid_and_full(problem):
    scores, pattern = problem
    result = properties.sound(solve, scores, pattern)
    assert result.status is Status.FEASIBLE
    if pattern.at_most:
        assert not (scores[result.mask] <= 0).any()
        assert not (naive.room(result.mask, pattern.n) & (scores > 0)).any()


@given(strategies.problems(), st.integers(1, 60))
def test_powers_of_two_change_nothing(problem, exponent):
    scores, pattern = problem
    if np.abs(scores).max() > 1e200:
        exponent = -exponent
    properties.same_mask_at_any_scale(solve, scores, pattern, exponent)


def test_planted_faults_are_caught():
    scores = 6.0 + np.random.default_rng(0).permutation(16).reshape(4, 4)
    check = properties.same_mask_at_any_scale
    properties.catches(check, solve, broken.forgets_the_scale, scores, Pattern(2, 4), -2)
    properties.catches(properties.sound, solve, broken.rows_only, scores, Pattern(2, 4))


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m", "rounds"), [(2, 4, 50), (1, 3, 7), (5, 8, 20), (8, 16, 100)])
def test_plans_are_those_of_dykstra(n, m, rounds, at_most):
    rng = np.random.default_rng(m)
    scores = rng.normal(size=(21, m, m))
    plans = projected(scores, n, at_most, 10.0, 0, rounds, 0.0)
    for tile, plan in zip(scores, plans, strict=True):
        kernel = 10.0 * tile / np.abs(tile).max()
        if not at_most:
            kernel -= kernel.max(axis=1, keepdims=True)
        expected = naive.dykstra(np.exp(kernel), n, rounds, at_most)
        np.testing.assert_allclose(plan, expected, rtol=1e-8)


def projected(scores, n, at_most, *settings):
    """Project tiles in so many doublings and rounds, to a tolerance: what is kept of each entry."""
    plans = np.empty(scores.shape)
    project_tiles(scores, n, at_most, *settings, plans)
    return np.minimum(plans, 1.0)


@pytest.mark.parametrize("at_most", [False, True])
def test_many_rounds_end_on_the_constraints(at_most):
    scores = np.random.default_rng(0).normal(size=(16, 8, 8))
    x = projected(scores, 3, at_most, 5.0, 2, 20_000, 1e-12)
    for axis in (1, 2):
        sums = x.sum(axis=axis)
        assert (sums <= 3 + 1e-9).all()
        assert at_most or (sums >= 3 - 1e-9).all()


@pytest.mark.parametrize("at_most", [False, True])
def test_doublings_change_the_way_not_the_end(at_most):
    scores = np.random.default_rng(0).normal(size=(16, 6, 6))
    ends = [projected(scores, 2, at_most, 5.0, k, 20_000, 1e-13) for k in (0, 2)]
    np.testing.assert_allclose(*ends, rtol=1e-6, atol=1e-9)


def test_columns_too_must_be_within_the_tolerance():
    scores = np.tile([5.0, -5.0, -5.0], (1, 3, 1))  # rows have room, the first column not
    found = projected(scores, 1, True, 20.0, 0, 1000, 1e-3)
    np.testing.assert_allclose(found[0, :, 0], 1 / 3, rtol=1e-2)


def test_a_tolerance_saves_rounds():
    scores = np.random.default_rng(0).random((16, 16))
    few, many = (solve(scores, "2:4", tolerance=t).stats["rounds"] for t in (0.1, 0.0))
    assert few < many == 16 * 200


@pytest.mark.parametrize(("doublings", "rounds"), [(0, 200), (3, 200), (3, 7), (16, 3), (0, 0)])
def test_rounds_are_shared_out(doublings, rounds):
    options = {"doublings": doublings, "rounds": rounds, "tolerance": 0}
    stats = solve(np.random.default_rng(0).random((4, 4)), "2:4", **options).stats
    assert stats["rounds"] == rounds


@pytest.mark.parametrize("at_most", [False, True])
@given(data=st.data())
def test_rounding_keeps_from_heavy_to_light(data, at_most):
    pattern = data.draw(strategies.patterns(max_m=6, at_most=at_most))
    n, m = pattern.n, pattern.m
    scores = data.draw(strategies.scores((m, m), signed=True))
    values = [0.0, 1e-9, 0.005, 0.02, 0.3, 0.6, 1.0, 2.0, np.inf]
    plan = data.draw(arrays(np.float64, (m, m), elements=st.sampled_from(values)))
    mask = np.empty((1, m, m), dtype=bool)
    round_plans(scores[None], plan[None], n, at_most, mask)
    expected = np.zeros((m, m), dtype=bool)
    for k in np.argsort(-plan.ravel(), kind="stable"):
        i, j = divmod(k, m)
        room = expected[i].sum() < n and expected[:, j].sum() < n
        expected[i, j] = room and not (at_most and scores[i, j] <= 0)
    if (plan >= 1).sum(axis=0).max() <= n and (plan >= 1).sum(axis=1).max() <= n:
        np.testing.assert_array_equal(mask[0], expected)
    assert naive.obeys(mask[0], n, at_most=True)


SHARP = {"sharpness": 300.0}
EXTREMES = [SHARP | {"doublings": 0}, SHARP, {"sharpness": 1.0}, {"rounds": 0}, {"doublings": 16}]


@pytest.mark.parametrize("options", EXTREMES)
@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 10), (16, 32), (63, 64)])
def test_no_score_and_no_option_gets_it_into_trouble(n, m, at_most, options):
    rng = np.random.default_rng(m)
    scores = strategies.random_tiles(rng, 14, m, signs=[-1, 1])
    scores[0] = 0.0
    scores[1, 0] *= 2.0**900  # one row far above the others
    scores[2, :, 0] *= 2.0**-1000
    scores[3] *= 5e-324
    asked = {"sharpness": 160.0, "doublings": 3, "rounds": 200} | options
    plans = np.empty(scores.shape)
    project_tiles(scores, n, at_most, *asked.values(), 1e-3, plans)
    assert not np.isnan(plans).any()
    pattern = Pattern(n, m, at_most=at_most)
    ms.check_mask(solve(scores, pattern, **options).mask, pattern)


LOSSES = {"2:4": 1e-4, "4:8": 5e-4, "8:16": 1e-3, "16:32": 2e-3, "8:16,at-most": 4e-3}


@pytest.mark.parametrize("pattern", LOSSES)
def test_loses_little_on_ordinary_weights(pattern):
    weights = np.abs(np.random.default_rng(0).normal(size=(256, 256)))
    best = ms.solve(weights, pattern).objective
    found = solve(weights, pattern).objective
    assert best * (1 - LOSSES[pattern]) <= found <= best * (1 + 1e-12)
    assert solve(weights, pattern, sharpness=20, doublings=0).objective < found


@pytest.mark.parametrize("method", ["entropic", "local_search"])
def test_equal_scores_fill_at_most_patterns_too(method):
    for pattern in ("2:3,at-most", "5:17,at-most", "3:8,at-most"):
        result = ms.solve(np.ones((34, 34)), pattern, method=method)
        assert result.objective == ms.solve(np.ones((34, 34)), pattern).objective


def test_a_tile_does_not_wait_for_its_neighbours():
    rng = np.random.default_rng(0)
    tile = rng.random((8, 8))
    hard = 10.0 ** rng.uniform(-6, 6, (15, 8, 8))
    settings = (4, False, 160.0, 3, 200, 0.05)
    alone = projected(tile[None], *settings)
    together = projected(np.concatenate([tile[None], hard]), *settings)
    np.testing.assert_array_equal(alone[0], together[0])
