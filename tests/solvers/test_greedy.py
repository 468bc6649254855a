"""Method "greedy": half of the at-most-n optimum, lines may end short."""

import numpy as np
import pytest
from hypothesis import given

import masksolve as ms
from masksolve import Pattern, Status
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("greedy")


@given(strategies.problems(max_m=5, signed=False))
def test_keeps_at_least_half(problem):
    properties.at_least_half(solve, *problem)


@given(strategies.problems(min_m=2))
def test_no_entry_could_still_be_added(problem):
    scores, pattern = problem
    mask = solve(scores, pattern).mask
    worth = scores > 0 if pattern.at_most else np.ones(scores.shape, dtype=bool)
    assert not (naive.room(mask, pattern.n) & worth).any()
    assert not (pattern.at_most and (scores[mask] <= 0).any())


@pytest.mark.parametrize("fault", [broken.takes_the_worst, broken.rows_only])
def test_planted_faults_are_caught(fault):
    scores = np.array([[9.0, 1, 1], [8.5, 9, 1], [9.5, 1, 9]])
    properties.catches(properties.at_least_half, solve, fault, scores, Pattern(1, 3))


SHORT = np.array([[5.0, 4.0], [4.0, 0.0]])
"""The greedy takes 5 and must take 0; the optimum is 4 + 4."""


def test_misses_the_optimum_where_the_heaviest_entry_misleads():
    result = solve(SHORT, Pattern(1, 2))
    assert result.objective == 5.0
    assert (result.upper_bound, result.gap, result.status) == (None, None, Status.FEASIBLE)


@pytest.mark.parametrize(
    ("pattern", "status", "counted"),
    [("2:4", Status.UNDERFILLED, True), ("2:4,at-most", Status.FEASIBLE, False)],
)
def test_underfilled_is_said_of_exactly_n_only(pattern, status, counted):
    weights = np.random.default_rng(0).normal(size=(400, 4))
    result = ms.solve(weights, pattern, method="greedy")
    short = (result.mask.sum(axis=1).reshape(100, 4) < 2).any(axis=1).sum()
    assert short > 0
    assert result.stats["short_tiles"] == (short if counted else 0)
    assert result.status is status


def test_ties_go_in_row_major_order():
    assert solve(np.ones((3, 3)), Pattern(1, 3)).mask.tolist() == np.eye(3, dtype=bool).tolist()
