"""`check_mask` and `is_valid`: which masks pass, and what is said of the others."""

import pickle

import ml_dtypes  # noqa: F401 - which tells NumPy of bfloat16
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from masksolve import InvalidInput, MaskViolation, Pattern
from masksolve.checks import lines_short
from tests import naive, strategies


@given(strategies.patterns(max_m=4), st.data())
def test_agrees_with_counting_on_any_tile(pattern, data):
    mask = data.draw(arrays(bool, (pattern.m, pattern.m)))
    assert ms.is_valid(mask, pattern) == naive.obeys(mask, pattern.n, pattern.at_most)


@given(strategies.patterns(), st.integers(0, 2**32))
def test_one_flipped_entry_is_found(pattern, seed):
    rng = np.random.default_rng(seed)
    n, m = pattern.n, pattern.m
    mask = np.block([[strategies.random_mask(rng, n, m) for _ in range(2)] for _ in range(2)])
    ms.check_mask(mask, pattern)
    ms.check_mask(mask.T, pattern)
    i, j = rng.integers(0, 2 * m, 2)
    mask[i, j] ^= True
    assert ms.is_valid(mask, pattern) == (pattern.at_most and not mask[i, j])
    if not ms.is_valid(mask, pattern):
        with pytest.raises(MaskViolation) as caught:
            ms.check_mask(mask, pattern)
        assert (caught.value.axis, caught.value.line) == ("row", i)
        assert caught.value.span == (j // m * m, j // m * m + m)
        assert caught.value.kept == n + (1 if mask[i, j] else -1)


def kept_at(shape, *index):
    mask = np.zeros(shape, dtype=bool)
    mask[index] = True
    return mask


LEFT = [[1, 1, 0, 0]] * 4
IN_A_CORNER = kept_at((2, 3, 5, 5), 1, 2, slice(3, 5), 4)
SENTENCES = [
    (np.tri(4), "2:4", "row 0, columns 0 to 3, keeps 1 of 4: 2:4 takes exactly 2"),
    (LEFT, "2:4", "column 0, rows 0 to 3, keeps 4 of 4: 2:4 takes exactly 2"),
    (LEFT, "2:4,at-most", "column 0, rows 0 to 3, keeps 4 of 4: 2:4,at-most takes at most 2"),
    (
        kept_at((4, 10), 3, slice(8, 10)),
        "1:4,plain,at-most",
        "row 3, columns 8 to 9, keeps 2 of 2: 1:4,plain,at-most takes at most 1 in a partial tile",
    ),
    (
        IN_A_CORNER,
        "1:3,at-most",
        "matrix (1, 2), column 4, rows 3 to 4, keeps 2 of 2: 1:3,at-most takes at most 1 "
        "in a partial tile",
    ),
    (
        np.moveaxis(kept_at((8, 8, 3), 6, slice(4, 8), 2), 2, 0),
        "2:4,at-most",
        "matrix (2,), row 6, columns 4 to 7, keeps 4 of 4: 2:4,at-most takes at most 2",
    ),
]


def place(found):
    """Say in the words of the message where an error's fields point to."""
    matrix = f"matrix {found.matrix}, " if found.matrix else ""
    across, (first, stop) = "columns" if found.axis == "row" else "rows", found.span
    line = f"{found.axis} {found.line}, {across} {first} to {stop - 1}"
    return f"{matrix}{line}, keeps {found.kept} of {stop - first}"


@pytest.mark.parametrize(("mask", "pattern", "message"), SENTENCES)
def test_names_the_line(mask, pattern, message):
    for turned, axes in ((mask, (-2, -1)), (np.moveaxis(mask, (-2, -1), (0, 1)), (0, 1))):
        with pytest.raises(MaskViolation) as caught:
            ms.check_mask(turned, pattern, axes=axes)
        assert str(caught.value) == message
        assert message.startswith(f"{place(caught.value)}: ")


def test_plain_looks_at_rows_only():
    assert ms.is_valid([[1, 1, 0, 0]] * 4, "2:4,plain")
    assert not ms.is_valid(np.array([[1, 1, 0, 0]] * 4).T, "2:4,plain")
    assert ms.is_valid(np.array([[1, 1, 0, 0]] * 4).T, "2:4,plain", axes=(1, 0))


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (0, 4, 4), (3, 0, 4)])
def test_empty_masks_obey(shape):
    assert ms.is_valid(np.zeros(shape), "2:4")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float64", "bfloat16"])
def test_masks_of_zeros_and_ones_come_in_any_dtype(dtype):
    assert ms.is_valid(np.eye(4).astype(dtype), "1:4")
    assert not ms.is_valid(np.ones((4, 4)).astype(dtype), "1:4")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.eye(4) * 2, "mask[0, 0] is 2.0: a mask holds 0 and 1 only"),
        (kept_at((2, 2, 2), 1, 0, 1) * 0.5, "mask[1, 0, 1] is 0.5"),
        (np.where(np.eye(2), np.nan, 0.0), "mask[0, 0] is nan"),
        (-np.eye(4, dtype=int), "mask[0, 0] is -1"),
        (np.ones(4), "mask must have at least 2 dimensions, got 1"),
        (np.eye(4).astype(str), "mask has dtype <U"),
        ([[1, 0], [1]], "mask is not a rectangular array"),
    ],
)
def test_refuses_what_is_no_mask(mask, words):
    for check in (ms.check_mask, ms.is_valid):
        with pytest.raises(InvalidInput) as caught:
            check(mask, "1:4")
        assert str(caught.value).startswith(words)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_lines_short_counts_rows_and_columns(m, n, data):
    tiles = data.draw(arrays(bool, (3, m, m)))
    pairs = [(tile.sum(axis=1), tile.sum(axis=0)) for tile in tiles]
    expected = [bool((r < n).any() or (m > 1 and (c < n).any())) for r, c in pairs]
    assert lines_short(tiles, n).tolist() == expected


def test_pattern_objects_and_texts_are_the_same():
    assert ms.is_valid(np.eye(4), Pattern(1, 4)) == ms.is_valid(np.eye(4), "1:4")


def test_violations_travel_between_processes():
    with pytest.raises(MaskViolation) as caught:
        ms.check_mask(np.ones((4, 4)), "2:4")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.line) == (str(caught.value), caught.value.line)
