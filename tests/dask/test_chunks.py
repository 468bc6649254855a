"""Borders between chunks lie between tiles."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from masksolve.dask.chunks import aligned

CHUNKS = st.lists(st.integers(0, 30), min_size=1, max_size=8)


@given(CHUNKS, st.integers(1, 16))
def test_borders_are_multiples_and_none_moves_by_more_than_half_a_tile(chunks, side):
    found = aligned(chunks, side)
    *borders, size = accumulate(found)
    assert size == sum(chunks)
    assert all(border % side == 0 for border in borders)
    assert all(found) or found == (0,)
    for before in list(accumulate(chunks))[:-1]:
        assert min(abs(before - border) for border in [0, *borders, size]) <= side / 2


@given(CHUNKS)
def test_any_border_lies_between_tiles_of_side_one(chunks):
    assert aligned(chunks, 1) == (tuple(n for n in chunks if n) or (0,))
