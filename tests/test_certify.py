"""`certify`: any mask, from anywhere, is judged by its distance to the optimum."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve import Pattern, Status
from masksolve.certificate import tile_gaps
from tests import naive, properties, strategies


def certify(scores, mask, pattern, **options):
    return ms.certify(scores, mask, pattern, score=None, threads=1, **options)


GRID = st.integers(-3, 3).map(float)


@given(strategies.problems(min_m=2, max_m=3, entries=GRID))
def test_every_mask_of_a_tiny_tile(problem):
    properties.judged(certify, *problem)


@pytest.mark.parametrize("at_most", [False, True])
def test_every_mask_of_a_2_4_tile(at_most):
    scores = np.random.default_rng(0).integers(-2, 9, (4, 4)).astype(float)
    properties.judged(certify, scores, Pattern(2, 4, at_most=at_most))


def halves_the_gap(scores, mask, pattern):
    found = certify(scores, mask, pattern)
    gaps = found.tiles._gaps
    return replace(found, tiles=replace(found.tiles, _gaps=gaps._replace(value=gaps.value / 2)))


def always_says_optimal(scores, mask, pattern):
    return replace(certify(scores, mask, pattern), status=Status.OPTIMAL)


def never_says_optimal(scores, mask, pattern):
    return replace(certify(scores, mask, pattern), status=Status.FEASIBLE)


@pytest.mark.parametrize("fault", [halves_the_gap, always_says_optimal, never_says_optimal])
def test_planted_faults_are_caught(fault):
    scores = np.array([[3.0, 1.0], [1.0, 2.0]])
    properties.catches(properties.judged, certify, fault, scores, Pattern(1, 2))


@pytest.mark.parametrize("text", ["2:4", "4:8", "5:16", "4:8,at-most"])
def test_random_valid_masks(text):
    pattern, rng = Pattern.parse(text), np.random.default_rng(1)
    n, m = pattern.n, pattern.m
    scores = strategies.random_tiles(rng, 70, m, signs=[-1, 1])
    masks = np.stack([strategies.random_mask(rng, n, m) for _ in scores])
    found = certify(scores, masks, pattern)
    best = ms.solve(scores, pattern, score=None).tiles.objective
    kept = (scores * masks).sum(axis=(1, 2))
    size = np.abs(scores).sum(axis=(1, 2))
    gaps = (found.tiles.upper_bound - found.tiles.objective).ravel()
    assert (np.abs(found.tiles.objective.ravel() - kept) <= 1e-14 * size).all()
    assert (np.abs(gaps - (best.ravel() - kept)) <= 1e-12 * size).all()
    assert found.status is Status.FEASIBLE


@given(strategies.problems(min_m=2, max_m=5, at_most=False, entries=GRID), st.data())
@settings(max_examples=40)
def test_short_masks_are_judged_against_those_that_fill_the_lines(problem, data):
    scores, pattern = problem
    mask = data.draw(strategies.short_masks(pattern.n, scores.shape))
    found = certify(scores, mask, pattern)
    best = naive.best_by_rows(scores, pattern.n, at_most=False)
    assert found.gap == pytest.approx(best - scores[mask].sum(), abs=1e-11)
    short = not naive.obeys(mask, pattern.n)
    assert (found.status is Status.UNDERFILLED) == short


@pytest.mark.parametrize(
    ("short_by", "status"), [(1e-13, Status.OPTIMAL), (1e-11, Status.FEASIBLE)]
)
def test_optimal_means_to_1e_12_of_the_score(short_by, status):
    found = certify([[1.0, 1.0 - short_by], [1.0, 1.0]], [[0, 1], [1, 0]], "1:2")
    assert found.status is status
    assert 0.0 < found.gap == pytest.approx(short_by, rel=1e-2)


def test_short_lines_can_score_more_than_the_bound():
    found = certify([[5.0, -9.0], [-9.0, -9.0]], [[1, 0], [0, 0]], "1:2")
    assert (found.objective, found.upper_bound, found.gap) == (5.0, -4.0, -9.0)
    assert found.status is Status.UNDERFILLED


def test_greedy_masks_of_2_4_that_end_short():
    weights = np.abs(np.random.default_rng(0).normal(size=(40, 400)))
    greedy = ms.solve(weights, "2:4", method="greedy")
    found = ms.certify(weights, greedy.mask, "2:4")
    assert greedy.status is found.status is Status.UNDERFILLED
    best = ms.solve(weights, "2:4").objective
    assert found.gap == pytest.approx(best - greedy.objective, rel=1e-9)


@pytest.mark.parametrize("method", ms.METHODS)
def test_same_verdict_as_solving_with_certify(method):
    weights = np.random.default_rng(3).normal(size=(10, 4, 12))
    solved = ms.solve(weights, "2:4", axes=(0, 2), method=method, certify=True)
    judged = ms.certify(weights, solved.mask, "2:4", axes=(0, 2))
    assert (judged.objective, judged.status) == (solved.objective, solved.status)
    assert judged.upper_bound == pytest.approx(solved.upper_bound, rel=1e-12)
    assert judged.tiles.upper_bound.shape == (4, 3, 3)


@pytest.mark.parametrize("text", ["2:4", "2:4,at-most"])
def test_potentials_kept_on_request_prove_the_gap(text):
    scores = np.random.default_rng(2).normal(size=(30, 4, 4))
    mask = np.broadcast_to(np.kron(np.eye(2), np.ones((2, 2))), scores.shape).astype(bool)
    tiles = certify(scores, mask, text, potentials=True).tiles
    u, v = tiles.row_potentials.reshape(-1, 4), tiles.column_potentials.reshape(-1, 4)
    gaps = tile_gaps(scores, mask, u, v, 2, "at-most" in text)
    found = (tiles.upper_bound - tiles.objective).ravel()
    np.testing.assert_allclose(gaps, found, rtol=0, atol=1e-12)


def test_masks_of_plain_patterns():
    scores = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    found = certify(scores, [[1, 1, 0, 0], [1, 1, 0, 0]], "2:4,plain")
    assert (found.tiles.upper_bound - found.tiles.objective).ravel().tolist() == [0.0, 4.0]
    assert certify(scores, [[1, 1, 0, 0], [1, 0, 0, 0]], "2:4,plain").gap == 6.0
