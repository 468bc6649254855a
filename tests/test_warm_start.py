"""Warm starts change the work, never the answer or its proof."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from masksolve import Pattern, Status
from tests import strategies

SHAPE = (2, 16, 24)
TEXTS = ["2:4", "4:8", "3:8,at-most", "8:16", "8:16,at-most", "2:4,plain"]


def same_answer(weights, pattern, start, solve=ms.solve):
    cold = ms.solve(weights, pattern, score=None)
    warm = solve(weights, pattern, score=None, warm_start=start)
    ms.check_mask(warm.mask, pattern)
    assert abs(warm.objective - cold.objective) <= 1e-12 * np.abs(weights).sum()
    assert cold.status is warm.status is Status.OPTIMAL


def with_potentials(result, potentials):
    return replace(result, tiles=replace(result.tiles, column_potentials=potentials))


@pytest.mark.parametrize("text", TEXTS)
def test_from_other_weights(text):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=SHAPE)
    for other in (weights, weights + 1e-3, -weights, rng.normal(size=SHAPE), 0 * weights):
        start = ms.solve(other, text, score=None, potentials=True)
        same_answer(weights, text, start)


def returns_the_start(weights, pattern, score, warm_start):
    return replace(warm_start, objective=weights[warm_start.mask].sum())


def test_planted_fault_is_caught():
    rng = np.random.default_rng(4)
    start = ms.solve(rng.normal(size=SHAPE), "2:4", score=None, potentials=True)
    weights = rng.normal(size=SHAPE)
    same_answer(weights, "2:4", start)
    with pytest.raises(AssertionError):
        same_answer(weights, "2:4", start, solve=returns_the_start)


@pytest.mark.parametrize("size", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("text", TEXTS)
def test_from_random_potentials(text, size):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=SHAPE)
    start = ms.solve(weights, text, score=None, potentials=True)
    shape = start.tiles.column_potentials.shape
    if Pattern.parse(text).transposable:
        start = with_potentials(start, size * rng.normal(size=shape))
    same_answer(weights, text, start)


@given(strategies.problems(min_m=2, entries=st.integers(-3, 3).map(float)), st.data())
def test_from_potentials_that_tie(problem, data):
    scores, pattern = problem
    start = ms.solve(scores, pattern, score=None, potentials=True, threads=1)
    elements = st.integers(-4, 4).map(float)
    v = data.draw(arrays(np.float64, (1, 1, pattern.m), elements=elements))
    same_answer(scores, pattern, with_potentials(start, v))


@pytest.mark.parametrize("text", ["2:4", "8:16", "8:16,at-most"])
def test_the_same_weights_again_need_less_work(text):
    weights = np.random.default_rng(2).normal(size=(64, 64))
    cold = ms.solve(weights, text, potentials=True)
    warm = ms.solve(weights, text, warm_start=cold)
    assert warm.stats["tiles_by_warm_start"] >= 0.9 * warm.stats["tiles"]
    np.testing.assert_array_equal(warm.mask, cold.mask)


def test_potentials_of_a_certified_heuristic_serve_too():
    weights = np.random.default_rng(3).normal(size=SHAPE)
    greedy = ms.solve(weights, "4:8", method="greedy", certify=True, potentials=True, score=None)
    same_answer(weights, "4:8", greedy)


@pytest.mark.parametrize("size", [1e6, 1e9, 1e12, 1e20, 1e200])
@pytest.mark.parametrize("text", ["2:4", "4:8", "4:8,at-most"])
def test_from_weights_of_another_size(text, size):
    rng = np.random.default_rng(0)
    start = ms.solve(size * rng.normal(size=(64, 64)), text, potentials=True)
    weights = rng.normal(size=(64, 64))
    cold, warm = ms.solve(weights, text), ms.solve(weights, text, warm_start=start)
    assert warm.objective == pytest.approx(cold.objective, rel=1e-12)
    assert warm.status is Status.OPTIMAL


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])  # -inf: segmentation fault
def test_from_potentials_that_are_no_numbers(value):
    code = f"""
import numpy as np, masksolve as ms
w = np.random.default_rng(0).normal(size=(16, 16))
start = ms.solve(w, "2:4", potentials=True)
start.tiles.column_potentials[..., 1] = {value!r}
try:
    assert ms.solve(w, "2:4", warm_start=start).status is ms.Status.OPTIMAL
except ms.InvalidInput:
    pass
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (0, 8, 8), (3, 0, 4)])
def test_empty_arrays_start_warm(shape):
    found = ms.solve(np.zeros(shape), "2:4", potentials=True)
    ms.solve(np.zeros(shape), "2:4", warm_start=found)


@pytest.mark.parametrize("value", [-3.0, -0.5, -1e300, 3.0, 1e300])
@pytest.mark.parametrize("text", ["2:4,at-most", "4:8", "8:16,at-most"])
def test_potentials_that_were_tampered_with_prove_nothing(text, value):
    weights = np.random.default_rng(0).normal(size=(64, 64))
    start = ms.solve(weights, text, score=None, potentials=True)
    start.tiles.column_potentials[:, ::2] = value
    same_answer(weights, text, start)
    judged = ms.certify(weights, start.mask, text, score=None, warm_start=start)
    assert judged.status is Status.OPTIMAL


@pytest.mark.parametrize("text", ["4:36", "31:33", "48:60,at-most"])
def test_a_range_of_24_decades_from_potentials_of_another_world(text):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(120, 132)) * 10.0 ** rng.uniform(-12, 12, (120, 132))
    start = ms.solve(1e200 * rng.normal(size=weights.shape), text, score=None, potentials=True)
    warm = ms.solve(weights, text, score=None, warm_start=start)
    assert warm.status is Status.OPTIMAL
    for plain in (False, True):
        judged = ms.certify(weights, warm.mask, text, score=None, warm_start=start, plain=plain)
        assert judged.status is Status.OPTIMAL


@pytest.mark.parametrize("text", ["2:4", "4:8,at-most", "8:16"])
def test_tied_tiles_are_not_solved_again(text):
    weights = np.random.default_rng(0).integers(-3, 4, (128, 256))
    cold = ms.solve(weights, text, potentials=True)
    warm = ms.solve(weights, text, warm_start=cold)
    assert cold.stats["tiles_by_ties"] > 0
    assert warm.stats["tiles_by_warm_start"] >= 0.98 * warm.stats["tiles"]
    assert (warm.mask == cold.mask).mean() > 0.99


def test_potentials_of_another_shape_are_refused():
    start = ms.solve(np.eye(8), "2:4", potentials=True)
    with pytest.raises(ms.InvalidInput, match=r"shape \(3,\): expected \(2, 2, 4\)"):
        ms.solve(np.eye(8), "2:4", warm_start=with_potentials(start, np.zeros(3)))


@pytest.mark.parametrize("text", ["2:4", "4:8", "4:8,at-most", "8:16"])
def test_a_tile_from_a_start_does_not_depend_on_its_neighbours(text):
    # Full of ties, so that there is a choice; some neighbours need rounds and some do not.
    rng = np.random.default_rng(6)
    m = Pattern.parse(text).m
    before = rng.integers(-6, 7, size=(m, 64 * m)).astype(np.float32)
    change = rng.integers(-1, 2, size=before.shape) * (rng.random(before.shape) < 0.02)
    order = rng.permutation(64)

    def shuffled(matrix):
        return matrix.reshape(m, 64, m)[:, order].reshape(m, -1)

    masks = []
    for arrange in (lambda matrix: matrix, shuffled):
        start = ms.solve(arrange(before), text, potentials=True)
        masks.append(ms.solve(arrange(before + change), text, warm_start=start).mask)
    assert (shuffled(masks[0]) == masks[1]).all()
