"""Method "bi_nm": rows first, columns within them; n/m of the plain optimum."""

import numpy as np
import pytest
from hypothesis import given

from masksolve import Pattern, Status
from tests import broken, naive, properties, strategies
from tests.solvers.one import solver

solve = solver("bi_nm")


@given(strategies.problems(signed=False))
def test_keeps_its_share_of_the_plain_optimum(problem):
    properties.keeps_share_of_rows(solve, *problem)


@pytest.mark.parametrize("fault", [broken.takes_the_worst, broken.keeps_nothing, broken.rows_only])
def test_planted_faults_are_caught(fault):
    scores = np.array([[9.0, 1, 0], [8, 2, 0], [0, 0, 1]])
    properties.catches(properties.keeps_share_of_rows, solve, fault, scores, Pattern(1, 3))


def first_largest(line, n, at_most):
    """Mark the n largest of a list, the earlier first among equals."""
    order = sorted(range(len(line)), key=lambda k: (-line[k], k))[:n]
    return [k in order and not (at_most and line[k] <= 0) for k in range(len(line))]


@given(strategies.problems())
def test_is_two_selections_one_in_the_other(problem):
    scores, pattern = problem
    mask = solve(scores, pattern).mask
    rows = np.array([first_largest(row, pattern.n, pattern.at_most) for row in scores.tolist()])
    inside = np.where(rows, scores, -np.inf)
    columns = [first_largest(c, pattern.n, pattern.at_most) for c in inside.T.tolist()]
    np.testing.assert_array_equal(mask, rows & np.array(columns).T)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(2, 4), (7, 12), (16, 32), (5, 64)])
def test_many_tiles(n, m, at_most):
    rng = np.random.default_rng(m)
    scores = strategies.random_tiles(rng, 35, m)
    mask = solve(scores, Pattern(n, m, at_most=at_most)).mask
    assert all(naive.obeys(x, n, at_most=True) for x in mask)
    plain = np.sort(scores, axis=2)[:, :, m - n :].sum(axis=(1, 2))
    assert ((scores * mask).sum(axis=(1, 2)) >= plain * n / m * (1 - 1e-12)).all()


def test_reports_short_lines():
    result = solve(np.array([[9.0, 1.0], [8.0, 2.0]]), Pattern(1, 2))
    assert result.mask.tolist() == [[True, False], [False, False]]
    assert result.status is Status.UNDERFILLED
    assert solve(result.mask * 1.0, Pattern(1, 2, at_most=True)).status is Status.FEASIBLE
