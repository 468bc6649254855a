"""Plain N:M in SIMD: the masks of a stable sort, whatever the scores and wherever they lie."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve import Pattern, Status
from masksolve.errors import InvalidScore
from masksolve.kernels.plain import line_solver, line_space
from masksolve.kernels.select import select_lines
from masksolve.limits import LARGEST_SCORE
from masksolve.solvers import exact
from tests import strategies

SIZES = [(1, 1), (2, 4), (3, 5), (6, 6), (8, 16)]
MORE_SIZES = [*SIZES, (1, 2), (7, 8), (5, 12), (13, 31), (32, 64)]
DTYPES = ["float16", "bfloat16", "float8_e4m3fn", "float32", "float64", "int8", "int64", "bool"]
CUTS = {
    "as it is": np.s_[...],
    "an offset": np.s_[..., 3:, 1:],
    "every second row": np.s_[..., ::2, :],
    "backwards": np.s_[..., ::-1, :],
    "every second column": np.s_[..., ::2],
}


def by_sorting(scores, n, at_most):
    """Keep the n largest of every line, (..., m), the first of equals; only what is positive."""
    order = np.argsort(-scores, axis=-1, kind="stable")[..., :n]
    mask = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(mask, order, True, axis=-1)
    return mask & (scores > 0) if at_most else mask


def masked(scores, pattern):
    """Keep the best of a matrix whose sides may be no multiples of m."""
    n, m = pattern.n, pattern.m
    whole = scores.shape[-1] // m * m
    full, rest = scores[..., :whole], scores[..., whole:]
    groups = full.reshape(*full.shape[:-1], -1, m)
    kept = by_sorting(groups, n, pattern.at_most).reshape(full.shape)
    return np.concatenate([kept, by_sorting(rest, n, at_most=True)], axis=-1)


def check(weights, pattern, score=np.abs, axes=(-2, -1), **options):
    """Solve, compare with sorting, and let the plain certificate judge."""
    result = ms.solve(weights, pattern, score=score, axes=axes, potentials=True, **options)
    scores = np.asarray(weights, dtype=np.float64)
    scores = np.moveaxis(np.abs(scores) if score is np.abs else scores, axes, (-2, -1))
    expected = masked(scores, pattern)
    np.testing.assert_array_equal(np.moveaxis(result.mask, axes, (-2, -1)), expected)
    assert result.status is Status.OPTIMAL
    assert result.gap == 0
    assert result.objective == pytest.approx(scores[expected].sum(), rel=1e-12)
    judged = [
        ms.certify(weights, result.mask, pattern, score=score, axes=axes, plain=p, potentials=True)
        for p in (False, True)
    ]
    for found in judged:
        assert found.status is Status.OPTIMAL
        np.testing.assert_array_equal(found.tiles.row_potentials, result.tiles.row_potentials)
    return result


@st.composite
def problems(draw):
    n, m = draw(st.sampled_from(SIZES))
    pattern = Pattern(n, m, transposable=False, at_most=draw(st.booleans()))
    lines, groups = draw(st.sampled_from([1, 5, 16, 19, 35])), draw(st.sampled_from([1, 3, 17]))
    some = draw(strategies.scores((4, m), signed=True))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    which = rng.integers(0, len(some), (lines, groups))
    scores = some[which[:, :, None], rng.integers(0, m, (lines, groups, m))]
    return scores.reshape(lines, groups * m), pattern


@settings(max_examples=60)
@given(problems(), st.sampled_from([None, np.abs]), st.booleans(), st.booleans())
def test_masks_are_those_of_a_stable_sort(problem, score, single, down):
    """Of subnormals, zeros of both signs, ties, and up to the largest scores."""
    scores, pattern = problem
    if single:
        scores = np.clip(scores, -1e38, 1e38).astype(np.float32)
    check(scores.T.copy() if down else scores, pattern, score, (-1, -2) if down else (-2, -1))


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize(("n", "m"), MORE_SIZES)
def test_lines_are_those_of_the_scalar_selection(n, m, columns, at_most):
    rng = np.random.default_rng(m)
    lines = np.round(rng.normal(size=(3, m, 37) if columns else (3, 37, m)), 1).astype(np.float32)
    lines = lines.swapaxes(1, 2) if columns else lines
    mask, u = np.empty_like(lines, dtype=np.int8), np.empty((3, 37))
    solver = line_solver(n, m, double=False, columns=columns)
    kept, proven = solver(lines, False, at_most, mask, u, line_space(m, double=False))
    flat = np.ascontiguousarray(lines, dtype=np.float64).reshape(-1, m)
    expected, potentials = np.empty(flat.shape, dtype=bool), np.empty(len(flat))
    select_lines(flat, n, at_most, expected, potentials)
    np.testing.assert_array_equal(mask.reshape(-1, m), expected)
    np.testing.assert_array_equal(u.reshape(-1), potentials)
    assert proven
    assert kept == pytest.approx(flat[expected].sum(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("axes", [(-2, -1), (-1, -2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype, axes):
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 9, (40, 72)) if dtype == "bool" else 3 * rng.normal(size=(40, 72))
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    for score in (np.abs, None):
        check(weights.astype(kind), Pattern(8, 16, transposable=False), score, axes)


@pytest.mark.parametrize("axes", [(-2, -1), (-1, -2), (0, 1), (1, 0), (0, 2)])
@pytest.mark.parametrize("cut", CUTS)
def test_batches_views_and_axes(cut, axes):
    weights = np.random.default_rng(0).normal(size=(9, 42, 33)).astype(np.float32)
    weights.setflags(write=False)
    check(weights[CUTS[cut]], Pattern(2, 4, transposable=False, at_most=True), None, axes)


def test_one_line_and_one_column():
    weights = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float16)
    for part in (weights[:, :1], weights[:1], weights[:5].T):
        for axes in ((-2, -1), (-1, -2)):
            check(part, Pattern(2, 4, transposable=False), axes=axes)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(bad, at_most, axes):
    pattern = Pattern(2, 4, transposable=False, at_most=at_most)
    for place in ((0, 0), (39, 39), (17, 38)):
        weights = np.ones((40, 40), dtype=np.float32)
        weights[place] = bad
        for call in (ms.solve, lambda w, *a, **k: ms.certify(w, np.zeros_like(w), *a, **k)):
            with pytest.raises(InvalidScore) as caught:
                call(weights, pattern, score=None, axes=axes)
            assert caught.value.index == place


def test_scores_that_are_too_large_are_named():
    weights = np.full((4, 64), LARGEST_SCORE)
    check(weights, Pattern(2, 4, transposable=False))
    weights[2, 5] = -np.nextafter(LARGEST_SCORE, np.inf)
    with pytest.raises(InvalidScore, match=r"\[2, 5\]"):
        ms.solve(weights, "2:4,plain", score=None)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_threads_and_pieces_change_nothing(axes):
    weights = np.random.default_rng(1).integers(-9, 10, (768, 1024)).astype(np.float32)
    one, many = (
        check(weights, Pattern(2, 4, transposable=False), axes=axes, threads=k) for k in (1, 3)
    )
    np.testing.assert_array_equal(one.mask, many.mask)
    assert one.objective == many.objective
    part = ms.solve(weights[64:128, 64:128], "2:4,plain", axes=axes)
    np.testing.assert_array_equal(part.mask, one.mask[64:128, 64:128])


def test_what_proves_nothing_is_not_called_optimal(monkeypatch):
    """The status comes from the count of every line, not from trust in the thresholds."""
    monkeypatch.setattr(
        "masksolve.kernels.plain.line_solver", lambda *_, **__: lambda *_: (1.0, False)
    )
    found = exact.solve_lines(np.ones((1, 2, 4)), True, 2, False, np.ones((1, 2, 4), dtype=bool))
    assert not found.optimal
    assert found.open_gaps == [np.inf]
