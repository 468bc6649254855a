"""The dual bound: weak duality, its two formulas, and who counts as proven."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masksolve.certificate import TOLERANCE, kept_scores, proven, tile_gaps
from tests import properties, strategies

POTENTIALS = st.one_of(strategies.GRID, st.floats(-10, 10), st.floats(-1e6, 1e6))


def potentials(m):
    return arrays(np.float64, m, elements=POTENTIALS)


@given(strategies.problems(min_m=2, max_m=4), st.data())
def test_no_potentials_bound_below_the_optimum(problem, data):
    scores, pattern = problem
    u, v = data.draw(potentials(pattern.m)), data.draw(potentials(pattern.m))
    properties.weak_duality(tile_gaps, scores, pattern.n, pattern.at_most, u, v)


@given(strategies.problems(min_m=2, entries=st.floats(0, 1)), st.data())
def test_gap_is_dual_bound_less_score_for_any_mask(problem, data):
    scores, pattern = problem
    n, m = pattern.n, pattern.m
    mask = data.draw(arrays(bool, (m, m)))
    u, v = (data.draw(arrays(np.float64, m, elements=st.floats(-2, 2))) for _ in range(2))
    gap = tile_gaps(scores[None], mask[None], u[None], v[None], n, pattern.at_most)[0]
    if pattern.at_most:
        u, v = np.maximum(u, 0), np.maximum(v, 0)
    bound = n * (u.sum() + v.sum()) + np.maximum(scores - u[:, None] - v, 0).sum()
    assert gap == pytest.approx(bound - scores[mask].sum(), abs=1e-11)


ONES, ZERO = np.ones((3, 3)), np.zeros(3)


def halves_the_gap(*arguments):
    return tile_gaps(*arguments) / 2


def forgets_short_columns(s, x, u, v, n, at_most):
    return tile_gaps(s, x, u, v, n, at_most) - (v * (n - x.sum(axis=1))).sum(axis=1)


def takes_negative_potentials(s, x, u, v, n, at_most):
    return tile_gaps(s, x, u, v, n, False)


@pytest.mark.parametrize(
    ("fault", "arguments"),
    [
        (halves_the_gap, (np.diag([1.0, 2, 3]), 1, False, ZERO, ZERO)),
        (forgets_short_columns, (ONES, 1, True, ZERO, ZERO + 1)),
        (takes_negative_potentials, (-ONES, 2, True, ZERO - 0.5, ZERO - 0.5)),
    ],
)
def test_planted_faults_break_weak_duality(fault, arguments):
    properties.catches(properties.weak_duality, tile_gaps, fault, *arguments)


def test_plain_lines_are_bounded_by_their_row_potential():
    scores = np.array([[[4.0, 1.0, 3.0, 2.0]]])
    mask = np.array([[[True, False, True, False]]])
    none = np.zeros((1, 4))
    for u, gap in ((2.0, 0.0), (2.5, 0.0), (3.5, 0.5), (1.0, 1.0)):
        assert tile_gaps(scores, mask, np.array([[u]]), none, 2, False)[0] == gap


@given(strategies.scores((3, 4, 4), signed=True, entries=strategies.GRID), st.data())
def test_kept_scores_are_sums_under_the_mask(scores, data):
    mask = data.draw(arrays(bool, (3, 4, 4)))
    assert kept_scores(scores, mask).tolist() == [
        s[x].sum() for s, x in zip(scores, mask, strict=True)
    ]


@pytest.mark.parametrize(
    ("scores", "kept", "scale"),
    [
        ([[1.0, 2.0]], [[1, 1]], 3.0),
        ([[-1.0, -2.0]], [[1, 1]], 3.0),  # magnitudes, so that signs do not cancel
        ([[0.5, -8.0]], [[1, 0]], 8.0),  # the largest in the tile where that is more
    ],
)
def test_proven_is_relative_to_the_magnitudes(scores, kept, scale):
    tile, mask = np.array([scores]), np.array([kept], dtype=bool)
    assert proven(tile, mask, np.array([0.999 * TOLERANCE * scale])).all()
    assert not proven(tile, mask, np.array([1.001 * TOLERANCE * scale])).any()


def test_nothing_is_proven_by_a_gap_that_is_not_a_number():
    assert not proven(np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), np.array([np.nan])).any()


@pytest.mark.parametrize("size", [1e9, 1e20, 1e200])
def test_large_potentials_do_not_hide_the_scores(size):
    """u + v = 0 exactly, so the true bound is D(0, 0) = 7 and the true gap 5."""
    scores = np.array([[[3.0, 1.0], [1.0, 2.0]]])
    mask = ~np.eye(2, dtype=bool)[None]
    u = np.full((1, 2), size)
    assert tile_gaps(scores, mask, u, -u, 1, False)[0] >= 3.0
