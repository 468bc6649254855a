"""Method "min_cost_flow": OR-Tools on rounded scores, and what the rounding costs."""

import numpy as np
import pytest
from hypothesis import given, settings

import masksolve as ms
from masksolve import Pattern, Status
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("min_cost_flow")


@given(strategies.problems(max_m=5))
def test_short_by_no_more_than_it_says(problem):
    properties.within_its_loss(solve, *problem)


def test_planted_fault_is_caught():
    problem = np.eye(3), Pattern(1, 3)
    properties.catches(properties.within_its_loss, solve, broken.owns_up_to_nothing, *problem)


@given(strategies.problems(entries=strategies.GRID))
@settings(max_examples=30)
def test_integers_lose_nothing(problem):
    properties.proven(solve, *problem)
    assert solve(*problem).stats["quantisation_loss"] == 0.0


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 4), (3, 8), (8, 16), (32, 64)])
def test_as_good_as_exact_on_many_tiles_of_a_graph(n, m, at_most):
    rng = np.random.default_rng(m)
    scores = strategies.random_tiles(rng, 28, m, signs=[-1, 1])
    pattern = Pattern(n, m, at_most=at_most)
    flow, exact = solve(scores, pattern), ms.solve(scores, pattern, score=None)
    ms.check_mask(flow.mask, pattern)
    size = np.abs(scores).sum()
    assert exact.objective - flow.objective <= flow.stats["quantisation_loss"] + 1e-14 * size
    assert flow.upper_bound >= exact.objective - 1e-14 * size
    assert flow.stats["quantisation_loss"] <= 1e-9 * size


def test_rounding_shows_in_status_and_bound():
    scores = np.full((4, 4), 1e-30)
    scores[0, 0] = 1.0  # the grid of the tile is too coarse for the others
    result = solve(scores, Pattern(1, 4, at_most=True))
    best = naive.best_by_rows(scores, 1, at_most=True)
    assert result.objective <= best <= result.upper_bound
    assert result.status is Status.OPTIMAL  # 1e-30 is within 1e-12 of the score
    assert 0.0 < result.stats["quantisation_loss"] < 1e-29
