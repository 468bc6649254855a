"""Method "local_search": never below its start, and no exchange left that gains."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve import Pattern, Status
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("local_search")


@given(strategies.problems(max_m=6))
def test_no_exchange_gains(problem):
    properties.no_exchange_left(solve, *problem)


@given(strategies.problems(max_m=6), st.data())
def test_no_exchange_gains_from_any_start(problem, data):
    scores, pattern = problem
    start = data.draw(strategies.short_masks(pattern.n, scores.shape))
    properties.no_exchange_left(lambda *args: solve(*args, start), scores, pattern)


@given(strategies.problems(max_m=6), st.data())
def test_never_below_its_start(problem, data):
    scores, pattern = problem
    start = data.draw(strategies.short_masks(pattern.n, scores.shape))
    if not pattern.at_most:
        start = ms.repair(scores, start, pattern, score=None, threads=1).mask
    properties.never_below(solve, scores, pattern, start)


def starts_from_nothing(scores, pattern, mask):
    return broken.ignores_scores(scores, pattern)


def test_planted_faults_are_caught():
    scores = np.array([[9.0, 1, 1], [1, 9, 1], [1, 1, 9]])[[1, 2, 0]]
    problem = scores, Pattern(1, 3)
    for fault in (broken.takes_the_worst, broken.ignores_scores):
        properties.catches(properties.no_exchange_left, solve, fault, *problem)
    best = solve(*problem).mask
    properties.catches(properties.never_below, solve, starts_from_nothing, *problem, best)


@pytest.mark.parametrize("fault", [broken.keeps_nothing, broken.ignores_scores])
def test_adding_dropping_and_moving_are_exchanges_too(fault):
    scores = np.diag([5.0, 4.0, -3.0]) + np.diag([-1.0, 0.0], 1)
    pattern = Pattern(1, 3, at_most=True)
    properties.catches(properties.no_exchange_left, solve, fault, scores, pattern)
    found = solve(scores, pattern, fault(scores, Pattern(1, 3)).mask)
    assert found.mask.astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_a_known_trap_is_left_by_an_exchange():
    scores = np.array([[5.0, 4.0], [4.0, 0.0]])  # the greedy takes 5 and must take 0
    result = solve(scores, Pattern(1, 2))
    assert result.mask.tolist() == [[False, True], [True, False]]
    assert (result.upper_bound, result.status) == (None, Status.FEASIBLE)
    assert result.stats["exchanges"] == 1


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(2, 4), (5, 15), (8, 16), (9, 17), (16, 32), (5, 64)])
def test_many_tiles_from_two_starts(n, m, at_most):
    rng = np.random.default_rng(m)
    scores = strategies.random_tiles(rng, 14, m, signs=[-1, 1, 1, 1])
    pattern = Pattern(n, m, at_most=at_most)
    best = ms.solve(scores, pattern, score=None)
    start = np.stack([strategies.random_mask(rng, n, m) for _ in scores])
    size = np.abs(scores).sum()
    for mask in (None, start):
        found = solve(scores, pattern, mask)
        ms.check_mask(found.mask, pattern)
        assert found.objective <= best.objective + 1e-12 * size
        if mask is not None:
            assert found.objective >= scores[mask].sum() - 1e-12 * size
    if m <= 16:
        for tile, x in zip(scores[:7], found.mask[:7], strict=True):
            assert naive.best_exchange(tile, x, n, at_most) <= 2.0**-48 * np.abs(tile).max()


def test_from_the_results_of_other_methods():
    weights = np.random.default_rng(0).normal(size=(64, 64))
    best = ms.solve(weights, "4:8")
    for method in ("greedy", "two_approx", "bi_nm", "entropic", "best_random"):
        start = ms.solve(weights, "4:8", method=method)
        found = ms.solve(weights, "4:8", method="local_search", warm_start=start)
        ms.check_mask(found.mask, "4:8")
        assert 0.99 * best.objective < found.objective <= best.objective * (1 + 1e-12)
    for start in (best, best.mask.astype(np.int8)):
        again = ms.solve(weights, "4:8", method="local_search", warm_start=start)
        np.testing.assert_array_equal(again.mask, best.mask)
        assert again.stats["exchanges"] == 0


def test_a_start_is_only_read():
    start = np.zeros((8, 8), dtype=bool)
    start.flags.writeable = False
    assert solve(np.ones((8, 8)), Pattern(2, 4), start).mask.sum() == 32
    assert not start.any()


W = np.ones((4, 4))
OVERFULL = np.tri(4)
SHAPE = r"\(8, 8\): expected that of weights, \(4, 4\)"


@pytest.mark.parametrize(
    ("start", "error", "words"),
    [
        (np.eye(8), ms.InvalidInput, f"warm_start has shape {SHAPE}"),
        (np.eye(4) * 2, ms.InvalidInput, r"warm_start\[0, 0\] is 2.0: a mask holds 0 and 1"),
        ("mask", ms.InvalidInput, "warm_start has dtype <U4"),
        (OVERFULL, ms.MaskViolation, "row 2, columns 0 to 3, keeps 3 of 4: .* at most 2"),
        (replace(ms.solve(W, "2:4", threads=1), mask=OVERFULL > 0), ms.MaskViolation, "row 2"),
    ],
)
def test_bad_starts_are_refused(start, error, words):
    with pytest.raises(error, match=words):
        solve(W, Pattern(2, 4), start)


@given(strategies.matrices(), strategies.patterns(max_m=4), st.data())
@settings(max_examples=50)
def test_partial_tiles_hold_at_most_n_from_a_start_too(scores, pattern, data):
    start = np.zeros(scores.shape, dtype=bool)
    start[0, data.draw(st.integers(0, scores.shape[1] - 1))] = True
    ms.check_mask(solve(scores, pattern, start).mask, pattern)


def test_axes_and_batches_of_a_start():
    kernels = np.random.default_rng(1).normal(size=(8, 12, 3, 2))
    start = ms.solve(kernels, "2:4", axes=(0, 1), method="bi_nm")
    found = ms.solve(kernels, "2:4", axes=(0, 1), method="local_search", warm_start=start)
    ms.check_mask(found.mask, "2:4", axes=(0, 1))
    assert found.objective > start.objective
