"""Zeros that were moved: lines counted against plain loops, whatever the dtype and the scale."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masksolve as ms

PATTERNS = ("2:4", "1:4", "3:5,plain", "2:4,plain,at-most")
FLOATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def counted(sizes, limit, pattern):
    """Count lines of at most m entries: all, with more than n nonzeros, with more than n far."""
    found = np.zeros(3, int)
    for matrix in (sizes, sizes.T)[: 2 if pattern.transposable else 1]:
        for row in matrix:
            for start in range(0, len(row), pattern.m):
                line = row[start : start + pattern.m]
                found += [1, (line != 0).sum() > pattern.n, (line > limit).sum() > pattern.n]
    return tuple(found)


@given(
    st.sampled_from(PATTERNS),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.integers(0, 999),
    st.sampled_from([1e-8, 1.0, 1e12]),
)
def test_lines_are_counted_as_loops_count_them(pattern, shape, seed, scale):
    rng = np.random.default_rng(seed)
    weights = scale * rng.choice([0, 0, 1e-7, -2e-6, 1, -3], shape)
    report = ms.inspect_zeros(weights, pattern)
    sizes, parsed = abs(weights), ms.Pattern.parse(pattern)
    limit = 1e-6 * sizes.max(initial=0)
    expected = counted(sizes, limit, parsed)
    assert (report.lines, report.over, report.broken) == expected
    near = sizes[(sizes > 0) & (sizes <= limit)]
    assert (report.moved, report.largest) == (near.size, near.max(initial=0))
    verdict = "broken" if expected[2] else "nearly" if expected[1] else "valid"
    assert report.verdict == verdict
    assert str(report).startswith({"nearly": "moved off zero, not broken"}.get(verdict, verdict))
    assert (report.violation is None) == (verdict != "broken")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("axes", [(0, 1), (2, 0)])
def test_what_is_moved_back_is_valid(dtype, axes):
    weights = np.random.default_rng(0).normal(size=(8, 12, 8)).astype(dtype)
    mask = ms.solve(weights, "2:4", axes=axes).mask
    moved = np.where(mask, weights, np.full_like(weights, 1e-3))
    assert ms.inspect_zeros(moved, "2:4", axes=axes).verdict == "broken"
    report = ms.inspect_zeros(moved, "2:4", axes=axes, nearly=1e-2)
    assert (report.verdict, report.moved >= (~mask).sum()) == ("nearly", True)
    moved[abs(moved.astype(float)) <= 1e-2 * abs(weights.astype(float)).max()] = 0
    assert ms.inspect_zeros(moved, "2:4", axes=axes, nearly=0).verdict == "valid"


def test_the_least_integer_is_not_nearly_zero():
    weights = np.full((4, 4), -128, np.int8)
    assert ms.inspect_zeros(weights, "2:4", nearly=0.5).verdict == "broken"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_neither_zero_nor_a_measure(bad):
    weights = np.full((4, 4), 1e-9)
    weights[:2, :2] = weights[2:, 2:] = 1
    weights[0, 0] = bad
    assert ms.inspect_zeros(weights, "2:4").verdict == "nearly"
    weights[0, 2] = bad
    report = ms.inspect_zeros(weights, "2:4")
    assert (report.broken, report.violation.line) == (2, 0)


def test_bad_input_is_one_sentence():
    for nearly in (-1, 1, np.nan, "few"):
        with pytest.raises(ms.InvalidInput, match="nearly must be"):
            ms.inspect_zeros(np.eye(4), "1:4", nearly=nearly)
    with pytest.raises(ms.InvalidInput, match="dimensions"):
        ms.inspect_zeros(np.ones(4), "2:4")
    assert ms.inspect_zeros(np.zeros((0, 4)), "2:4").verdict == "valid"
