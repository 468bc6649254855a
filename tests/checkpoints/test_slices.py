"""Parts cover an array once, in the order of its bytes, and cut no tile."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.checkpoints.slices import cut


@st.composite
def cuttings(draw):
    shape = tuple(draw(st.lists(st.integers(0, 13), min_size=2, max_size=4)))
    axes = tuple(draw(st.permutations(range(len(shape))))[:2])
    m = draw(st.integers(1, 6))
    tile = (m if draw(st.booleans()) else 1, m)
    return shape, axes, tile, draw(st.integers(1, 400))


@given(cuttings())
def test_parts_are_runs_of_whole_tiles(cutting):
    shape, axes, tile, most = cutting
    array = np.arange(prod(shape)).reshape(shape)
    parts = list(cut(shape, axes, tile, most))
    seen = []
    for start, sides in parts:
        window = array[tuple(slice(s, s + n) for s, n in zip(start, sides, strict=True))]
        assert window.shape == sides
        seen += window.ravel().tolist()
        for axis, side in zip(axes, tile, strict=True):
            stop = start[axis] + sides[axis]
            assert start[axis] % side == 0
            assert stop % side == 0 or stop == shape[axis]
    assert seen == list(range(array.size))  # every entry once, and contiguous


@given(cuttings())
def test_parts_are_as_large_as_asked_or_single_rows_of_tiles(cutting):
    shape, axes, tile, most = cutting
    units = [1] * len(shape)
    units[axes[0]], units[axes[1]] = tile
    for _, sides in cut(shape, axes, tile, most):
        if prod(sides) > most:
            lengths = zip(sides, units, strict=True)
            length, unit = next(pair for pair in lengths if max(pair) > 1)
            assert length <= unit


@pytest.mark.parametrize(("shape", "most"), [((40, 9), 100), ((4096, 14336), 1 << 22)])
def test_parts_end_with_whole_bytes_of_masks_where_they_can(shape, most):
    parts = list(cut(shape, (0, 1), (4, 4), most))
    assert len(parts) > 1
    assert all(prod(part.shape) % 8 == 0 for part in parts[:-1])


def test_what_fits_stays_whole():
    assert len(list(cut((64, 64), (0, 1), (4, 4), 64 * 64))) == 1
