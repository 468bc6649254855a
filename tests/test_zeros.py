"""Masks read off zeros: what is not zero is kept, and lines are filled where they can be."""

from itertools import product

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masksolve as ms

PATTERNS = ("2:4", "1:4", "3:5", "2:4,plain", "2:4,at-most", "1:4,plain,at-most")


@st.composite
def pruned(draw):
    """Draw weights that a mask was applied to, some of the kept ones zero as well."""
    pattern = draw(st.sampled_from(PATTERNS))
    shape = draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    weights = rng.normal(size=shape)
    mask = ms.solve(weights, pattern, threads=1).mask
    mask &= rng.random(shape) < draw(st.sampled_from([1, 0.9, 0.5, 0]))
    return np.where(mask, weights, rng.choice([0.0, -0.0], shape)), pattern


@given(pruned())
def test_all_that_is_not_zero_is_kept_in_a_mask_of_the_pattern(case):
    weights, pattern = case
    mask = ms.mask_of_zeros(weights, pattern, threads=1)
    assert mask.dtype == np.bool_
    assert mask[weights != 0].all()
    assert ms.is_valid(mask, ms.Pattern.parse(f"{pattern},at-most".replace("most,at-most", "most")))
    if "plain" in pattern or "at-most" in pattern:
        assert ms.is_valid(mask, pattern)
    if "at-most" in pattern:
        assert np.array_equal(mask, weights != 0)


@given(st.integers(0, 2**16 - 1))
def test_a_tile_is_filled_exactly_if_some_mask_contains_it(bits):
    """Against all 90 masks of 2:4."""
    kept = np.array([bits >> k & 1 for k in range(16)], bool).reshape(4, 4)
    if max(kept.sum(0).max(), kept.sum(1).max()) > 2:
        with pytest.raises(ms.MaskViolation, match="at most 2"):
            ms.mask_of_zeros(kept, "2:4", threads=1)
        return
    mask = ms.mask_of_zeros(kept, "2:4", threads=1)
    if any((kept <= full).all() for full in FULL):
        assert any(np.array_equal(mask, full) for full in FULL)
        assert (kept <= mask).all()
    else:
        assert np.array_equal(mask, kept)


ROWS = [row for row in product([False, True], repeat=4) if sum(row) == 2]
FULL = [
    np.array(rows) for rows in product(ROWS, repeat=4) if (np.array(rows).sum(axis=0) == 2).all()
]


def test_a_tile_that_cannot_be_filled_leaves_the_others_full():
    assert len(FULL) == 90
    stuck = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    weights = np.block([[stuck, np.eye(4)], [np.eye(4), stuck]])
    mask = ms.mask_of_zeros(weights, "2:4")
    for here, there in ((np.s_[:4], np.s_[4:]), (np.s_[4:], np.s_[:4])):
        assert np.array_equal(mask[here, here], stuck)
        assert ms.is_valid(mask[here, there], "2:4")


def test_tiny_weights_beside_huge_ones_are_kept():
    weights = np.kron(np.eye(4), np.full((2, 2), 1e-300))
    weights[0, 0] = 1e300
    assert ms.mask_of_zeros(weights, "2:4")[weights != 0].all()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, int])
@pytest.mark.parametrize("axes", [(0, 1), (2, 0)])
def test_what_solve_pruned_comes_back(dtype, axes):
    weights = np.random.default_rng(0).integers(1, 9, (8, 12, 8)).astype(dtype)
    mask = ms.solve(weights, "2:4", axes=axes).mask
    dense = np.where(mask, weights, np.zeros_like(weights))
    assert np.array_equal(ms.mask_of_zeros(dense, "2:4", axes=axes), mask)


def test_weights_that_were_pruned_otherwise_are_refused():
    weights = np.outer(np.arange(8) > 3, [0, 0, 1, 0])
    with pytest.raises(ms.MaskViolation, match="column 2, rows 4 to 7, keeps 4 of 4") as caught:
        ms.mask_of_zeros(weights, "3:4")
    assert caught.value.axis == "column"
    with pytest.raises(ms.InvalidInput, match="dimensions"):
        ms.mask_of_zeros(np.ones(4), "2:4")
