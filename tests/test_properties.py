"""Exact solving has the properties of the mathematics, and they catch planted faults."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import Pattern
from tests import broken, properties, strategies
from tests.broken import exact

EXACTLY = strategies.problems(at_most=False)


@given(strategies.problems())
def test_every_tile_is_proven(problem):
    properties.proven(exact, *problem)


@given(strategies.problems(max_m=5))
def test_every_tile_is_optimal(problem):
    properties.optimal(exact, *problem)


@given(strategies.problems())
def test_transposition(problem):
    properties.transposition(exact, *problem)


@given(strategies.problems(), st.randoms(use_true_random=False))
def test_permutation(problem, random):
    lines = range(problem[1].m)
    rows, columns = (random.sample(lines, len(lines)) for _ in range(2))
    properties.permutation(exact, *problem, rows, columns)


@given(strategies.problems(entries=strategies.GRID), st.integers(-900, 900))
def test_scaling(problem, exponent):
    properties.scaling(exact, *problem, exponent)


@given(EXACTLY, st.data(), st.floats(-1e6, 1e6))
def test_row_shift(problem, data, constant):
    row = data.draw(st.integers(0, problem[1].m - 1))
    properties.row_shift(exact, *problem, row, constant)


SCORES = np.array([[9.0, 8, 1, 2], [7, 6, -5, 3], [8, 9, 4, -1], [6, -7, 2, 1]])
TWO = Pattern(2, 4)
AT_MOST = Pattern(2, 4, at_most=True)
ORDER = [3, 0, 2, 1]
PLANTED = [
    (properties.sound, broken.swaps_two_entries, (SCORES, TWO)),
    (properties.sound, broken.rows_only, (SCORES, TWO)),
    (properties.sound, broken.halves_the_bound, (SCORES, TWO)),
    (properties.proven, broken.halves_the_bound, (-SCORES, TWO)),
    (properties.optimal, broken.halves_the_bound, (SCORES, TWO)),
    (properties.optimal, broken.takes_the_worst, (SCORES, TWO)),
    (properties.optimal, broken.ignores_negative_scores, (-SCORES, TWO)),
    (properties.optimal, broken.forgets_the_scale, (SCORES, TWO)),
    (properties.optimal, broken.keeps_nothing, (SCORES, AT_MOST)),
    (properties.transposition, broken.rows_only, (SCORES, TWO)),
    (properties.transposition, broken.swaps_two_entries, (SCORES, TWO)),
    (properties.permutation, broken.ignores_scores, (SCORES, TWO, ORDER, ORDER)),
    (properties.permutation, broken.swaps_two_entries, (SCORES, TWO, ORDER, ORDER)),
    (properties.scaling, broken.forgets_the_scale, (SCORES, TWO, -3)),
    (properties.row_shift, broken.ignores_negative_scores, (SCORES, TWO, 0, -20.0)),
    (properties.row_shift, broken.forgets_the_scale, (SCORES, TWO, 0, 20.0)),
]


@pytest.mark.parametrize(("check", "fault", "arguments"), PLANTED)
def test_planted_faults_are_caught(check, fault, arguments):
    properties.catches(check, exact, fault, *arguments)
