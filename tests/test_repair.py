"""`repair`: short lines are filled, and score is lost only where that cannot be helped."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masksolve as ms
from masksolve import Pattern, Status
from tests import properties, strategies


def repair(scores, mask, pattern):
    return ms.repair(scores, mask, pattern, score=None, threads=1)


@given(strategies.problems(max_m=5, at_most=False), st.data())
def test_fills_any_short_mask(problem, data):
    scores, pattern = problem
    mask = data.draw(strategies.short_masks(pattern.n, scores.shape))
    properties.filled(repair, scores, mask, pattern)


def returns_the_mask(scores, mask, pattern):
    return replace(repair(scores, mask, pattern), mask=mask)


def fills_blindly(scores, mask, pattern):
    return repair(np.zeros_like(scores), np.zeros_like(mask), pattern)


def says_nothing_was_lost(scores, mask, pattern):
    result = repair(scores, mask, pattern)
    return replace(result, stats={"lowered_tiles": 0, "lowered_score": 0.0})


@pytest.mark.parametrize(
    ("fault", "scores"),
    [
        (returns_the_mask, [[5.0, 4.0], [4.0, 0.0]]),
        (fills_blindly, [[0.0, 4.0], [4.0, 0.0]]),
        (says_nothing_was_lost, [[-9.0, 4.0], [-9.0, -9.0]]),
    ],
)
def test_planted_faults_are_caught(fault, scores):
    problem = np.array(scores), np.array([[False, True], [False, False]]), Pattern(1, 2)
    properties.catches(properties.filled, repair, fault, *problem)


@pytest.mark.parametrize("text", ["2:4", "3:8", "8:16", "15:16"])
@pytest.mark.parametrize("method", ["greedy", "two_approx"])
def test_fills_what_the_heuristics_leave(method, text):
    weights = np.random.default_rng(0).normal(size=(32, 160))
    rough = ms.solve(weights, text, method=method)
    full = ms.repair(weights, rough.mask, text)
    ms.check_mask(full.mask, text)
    ms.check_mask(full.mask.T, text)
    assert rough.stats["short_tiles"] > 0 == full.stats["short_tiles"]
    best = ms.solve(weights, text).tiles.objective
    floor = np.minimum(rough.tiles.objective, best)
    assert (full.tiles.objective >= floor * (1 - 1e-12)).all()
    assert (full.tiles.objective <= best * (1 + 1e-12)).all()


def test_counts_tiles_that_had_to_lose():
    weights = np.random.default_rng(1).normal(size=(40, 800))
    rough = ms.solve(weights, "2:4", method="greedy")
    full = ms.repair(weights, rough.mask, "2:4")
    lost = (rough.tiles.objective - full.tiles.objective).clip(min=0)
    assert full.stats["lowered_tiles"] == np.count_nonzero(lost > 1e-12) > 0
    assert full.stats["lowered_score"] == pytest.approx(lost.sum(), rel=1e-9)


def test_tiles_without_short_lines_stay_as_they_are():
    rng = np.random.default_rng(2)
    masks = np.stack([strategies.random_mask(rng, 4, 8) for _ in range(20)])
    result = ms.repair(rng.normal(size=masks.shape), masks, "4:8")
    np.testing.assert_array_equal(result.mask, masks)
    assert (result.stats["steps"], result.stats["lowered_tiles"]) == (0, 0)


def test_takes_the_best_exchange_where_nothing_can_be_added():
    scores = [[5.0, 10.0, 10.0], [10.0, 9.0, 9.0], [10.0, 9.0, 0.0]]
    full = repair(scores, [[1, 0, 0], [0, 1, 1], [0, 1, 1]], "2:3")
    assert full.mask.astype(int).tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 0]]
    assert (full.objective, full.stats["steps"], full.stats["lowered_tiles"]) == (52.0, 1, 0)


@pytest.mark.parametrize("text", ["2:4,at-most", "2:4,plain,at-most"])
def test_at_most_patterns_are_never_short(text):
    empty = np.zeros((8, 8), dtype=bool)
    result = ms.repair(np.ones((8, 8)), empty, text)
    assert not result.mask.any()
    assert result.status is Status.FEASIBLE


def test_partial_tiles_are_left_alone():
    mask = ms.repair(np.ones((6, 7)), np.zeros((6, 7)), "2:4").mask
    assert mask[:4, :4].sum() == mask.sum() == 8


def test_plain_lines_are_filled_with_the_best():
    result = ms.repair(
        [[1.0, 4.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0]], [[0, 0, 1, 0], [0, 1, 1, 0]], "2:4,plain"
    )
    assert result.mask.astype(int).tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]


def test_what_a_result_says():
    given_mask = np.zeros((4, 4), dtype=bool)
    result = ms.repair(np.ones((4, 4)), given_mask, "2:4")
    assert not given_mask.any()  # a copy was filled
    assert (result.method, result.objective, result.upper_bound) == ("repair", 8.0, None)
    assert result.status is Status.FEASIBLE
    assert result.stats["steps"] == 8


@pytest.mark.parametrize("text", ["2:4", "2:4,plain", "2:4,at-most"])
@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0), (0, 8, 8), (3, 0, 8), (3, 8, 0)])
def test_empty_arrays_have_all_stats(shape, text):
    result = ms.repair(np.ones(shape), np.zeros(shape, bool), text)
    assert result.stats.keys() == ms.repair(np.ones((4, 4)), np.eye(4), text).stats.keys()
    assert [result.stats[key] for key in ("steps", "lowered_tiles", "lowered_score")] == [0] * 3
    assert (result.mask.shape, result.objective) == (shape, 0.0)


@pytest.mark.parametrize("text", ["2:4,at-most", "2:8"])
def test_lowered_is_counted_where_nothing_can_be_short(text):
    stats = ms.repair(np.ones((4, 4)), np.zeros((4, 4)), text).stats
    assert (stats["lowered_tiles"], stats["lowered_score"], stats["steps"]) == (0, 0.0, 0)
