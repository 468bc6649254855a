"""Method "enumerate": every valid mask, one against the other."""

import numpy as np
import pytest
from hypothesis import given

from masksolve import Pattern
from masksolve.solvers.enumerate import valid_tiles
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("enumerate")


@given(strategies.problems(max_m=4))
def test_optimal_and_said_so(problem):
    properties.proven(solve, *problem)
    properties.optimal(solve, *problem)


def test_planted_fault_is_caught():
    problem = np.eye(4)[::-1], Pattern(1, 4)
    properties.catches(properties.optimal, solve, broken.ignores_scores, *problem)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(n, m) for m in (1, 2, 3, 4) for n in range(1, m + 1)])
def test_lists_the_same_masks_as_the_naive_oracle(n, m, at_most):
    ours, theirs = (
        {mask.tobytes() for mask in masks}
        for masks in (valid_tiles(n, m, at_most), naive.valid_masks(n, m, at_most))
    )
    assert ours == theirs


def test_ties_go_to_the_first_mask_of_the_list():
    mask = solve(np.zeros((4, 4)), Pattern(2, 4)).mask
    np.testing.assert_array_equal(mask, valid_tiles(2, 4, False)[0])
