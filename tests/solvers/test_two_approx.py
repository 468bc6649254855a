"""Method "two_approx": prunes at most twice the optimum's pruned score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import Pattern, Status
from tests import broken, properties, strategies
from tests.solvers.one import solver

solve = solver("two_approx")


@given(strategies.problems(max_m=5, signed=False))
def test_prunes_at_most_twice_the_optimum(problem):
    properties.prunes_at_most_twice(solve, *problem)


@pytest.mark.parametrize("fault", [broken.takes_the_worst, broken.keeps_nothing])
def test_planted_faults_are_caught(fault):
    problem = np.eye(3) + 0.01, Pattern(1, 3)
    properties.catches(properties.prunes_at_most_twice, solve, fault, *problem)


@given(strategies.patterns(), st.randoms(use_true_random=False))
def test_keeps_top_n_of_the_row_and_of_the_column(pattern, random):
    n, m = pattern.n, pattern.m
    scores = np.reshape(random.sample(range(m * m), m * m), (m, m)).astype(float)
    of_row = (-scores).argsort(axis=1).argsort(axis=1) < n
    of_column = (-scores).argsort(axis=0).argsort(axis=0) < n
    np.testing.assert_array_equal(solve(scores, pattern).mask, of_row & of_column)


def test_prefers_the_earlier_of_equal_scores():
    mask = solve(np.ones((3, 3)), Pattern(1, 3)).mask
    assert mask.astype(int).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_reports_short_lines():
    scores = np.array([[9.0, 1.0], [8.0, 2.0]])  # the second column's best loses its row
    result = solve(scores, Pattern(1, 2))
    assert result.mask.tolist() == [[True, False], [False, False]]
    assert result.status is Status.UNDERFILLED
    assert result.stats["short_tiles"] == 1
