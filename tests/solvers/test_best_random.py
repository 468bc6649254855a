"""Method "best_random": every mask can be drawn, and the best of those drawn is taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve import Pattern, Status
from masksolve.solvers.best_random import random_masks
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("best_random")


@given(strategies.problems(), st.integers(0, 3))
def test_keeps_its_share_of_the_tile(problem, seed):
    few = lambda scores, pattern: solve(scores, pattern, tries=pattern.m, seed=seed)  # noqa: E731
    properties.keeps_share_of_all(few, *problem)


@pytest.mark.parametrize("fault", [broken.takes_the_worst, broken.rows_only])
def test_planted_faults_are_caught(fault):
    scores = np.array([[9.0, 1, 1], [8.5, 9, 1], [9.5, 1, 9]])
    properties.catches(properties.keeps_share_of_all, solve, fault, scores, Pattern(1, 3))


@given(strategies.problems(entries=strategies.GRID), st.integers(1, 20))
@settings(max_examples=50)
def test_is_the_first_of_the_best_that_were_drawn(problem, tries):
    scores, pattern = problem
    masks = random_masks(pattern.n, pattern.m, tries, seed=5)
    worth = np.maximum(scores, 0.0) if pattern.at_most else scores
    best = masks[(masks * worth).sum(axis=(1, 2)).argmax()]
    if pattern.at_most:
        best = best & (scores > 0)
    mask = solve(scores, pattern, tries=tries, seed=5).mask
    np.testing.assert_array_equal(mask, best)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (1, 4), (2, 4), (3, 4), (2, 5)])
def test_every_mask_is_drawn_about_equally_often(n, m):
    every = naive.valid_masks(n, m, at_most=False)
    masks = random_masks(n, m, tries=150 * len(every), seed=0)
    assert all(naive.obeys(mask, n) for mask in masks[:1000])
    numbers = masks.reshape(-1, m * m) @ (1 << np.arange(m * m))
    drawn, counts = np.unique(numbers, return_counts=True)
    assert set(drawn) == set(every.reshape(-1, m * m) @ (1 << np.arange(m * m)))
    assert 75 < counts.min() <= counts.max() < 300  # 150 each, give or take


def test_no_row_and_no_column_is_special():
    masks = random_masks(3, 8, tries=20_000, seed=0)
    deviation = np.abs(masks.mean(axis=0) - 3 / 8).max()
    assert deviation < 5 * np.sqrt(3 / 8 * 5 / 8 / 20_000)


@pytest.mark.parametrize("tries", [1, 3, 4, 9])
def test_the_first_masks_cover_each_entry_equally(tries):
    masks = random_masks(2, 4, tries, seed=1)
    assert masks.shape == (tries, 4, 4)
    if tries >= 4:
        assert (masks[:4].sum(axis=0) == 2).all()


def test_draws_in_pieces_are_the_same_draws(monkeypatch):
    whole = random_masks(2, 4, 50, 0)
    monkeypatch.setattr("masksolve.solvers.best_random.ENTRIES_AT_ONCE", 100)
    np.testing.assert_array_equal(random_masks(2, 4, 50, 0), whole)


def test_more_tries_keep_more_and_the_seed_matters():
    scores = np.random.default_rng(0).random((64, 64))
    kept = [solve(scores, "4:8", tries=k).objective for k in (1, 10, 100, 1000)]
    assert kept == sorted(kept)
    other = solve(scores, "4:8", seed=1)
    assert (other.mask != solve(scores, "4:8").mask).any()
    assert other.status is Status.FEASIBLE


def test_2_4_is_as_good_as_solved():
    scores = np.random.default_rng(0).random((64, 64))
    assert solve(scores, "2:4").objective == pytest.approx(ms.solve(scores, "2:4").objective)
