"""Whether a pattern fits the sides of a matrix."""

from hypothesis import given
from hypothesis import strategies as st

from masksolve import Pattern
from masksolve.roles import misfit
from tests.strategies import patterns


@given(patterns(), st.integers(1, 6), st.integers(1, 6))
def test_whole_tiles_fit(pattern, rows, columns):
    sides = rows * pattern.m, columns * pattern.m
    assert misfit(sides, pattern, whole=True) is None


@given(patterns(min_m=2), st.integers(1, 40), st.integers(1, 40))
def test_ragged_sides_fit_where_tiles_need_not_be_whole(pattern, rows, columns):
    ragged = misfit((rows, columns), pattern, whole=True)
    narrow = misfit((rows, columns), pattern, whole=False)
    assert (narrow is not None) == (min(rows, columns) < pattern.m)
    assert (ragged is not None) == (rows % pattern.m > 0 or columns % pattern.m > 0)


def test_plain_patterns_run_along_inputs_only():
    assert misfit((10, 32), Pattern.parse("2:4,plain"), whole=True) is None
    assert misfit((32, 10), Pattern.parse("2:4,plain"), whole=True) is not None


def test_an_empty_matrix_fits_no_pattern():
    assert misfit((0, 32), Pattern.parse("2:4,plain"), whole=False) == "its matrix is 0 x 32, empty"
