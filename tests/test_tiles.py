"""Cutting arrays into boxes of tiles and putting them together again."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import tiles
from masksolve.tiles import TileLayout, tile_layout


@st.composite
def layouts(draw):
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=2, max_size=4)))
    axes = draw(st.permutations(range(len(shape))))[:2]
    m = draw(st.integers(1, 5))
    return TileLayout(shape, tuple(axes), (draw(st.sampled_from([1, m])), m))


@pytest.fixture(scope="module", params=[1, 40, 1 << 16], autouse=True)
def _box_entries(request):
    """Boxes of one tile, of a few, and as in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "BOX_ENTRIES", request.param)
        yield


@given(layouts())
def test_every_tile_is_in_one_box(layout):
    seen = np.zeros(layout.stack_shape, dtype=int)
    for box in layout.boxes():
        seen[box.index] += 1
        assert seen[box.index].shape == box.shape
        assert box.tiles == seen[box.index].size > 0
    assert (seen == 1).all()
    assert layout.tiles == seen.size


@given(layouts())
def test_boxes_at_the_ragged_edge_are_partial(layout):
    partial = np.zeros(layout.stack_shape, dtype=bool)
    for box in layout.boxes():
        partial[box.index] = box.partial
    (rows, columns), (h, w) = layout.matrix_shape, layout.tile
    expected = np.zeros_like(partial)
    if rows % h:
        expected[:, -1:] = True
    if columns % w:
        expected[:, :, -1:] = True
    assert (partial == expected).all()


@given(layouts())
def test_gather_pads_with_zeros_and_scatter_writes_back(layout):
    array = np.arange(1.0, 1 + np.prod(layout.shape)).reshape(layout.shape)
    copy = np.zeros_like(array)
    total = 0.0
    for box in layout.boxes():
        part = layout.gather(array, box, np.float64)
        assert part.shape == (box.tiles, *layout.tile)
        assert part.flags.c_contiguous
        assert box.partial or (part > 0).all()
        total += part.sum()
        layout.scatter(copy, box, part)
    assert total == array.sum()
    np.testing.assert_array_equal(copy, array)


@given(layouts())
def test_tiles_lie_where_the_stack_says(layout):
    array = np.arange(np.prod(layout.shape)).reshape(layout.shape)
    stack = np.full((*layout.stack_shape, *layout.tile), -1)
    for box in layout.boxes():
        stack[box.index] = layout.gather(array, box, np.int64).reshape(*box.shape, *layout.tile)
    (h, w), matrices = layout.tile, np.moveaxis(array, layout.axes, (-2, -1))
    found = layout.per_tile(stack)
    for *batch, r, c in np.ndindex(found.shape[:-2]):
        part = matrices[(*batch, slice(r * h, r * h + h), slice(c * w, c * w + w))]
        np.testing.assert_array_equal(
            found[(*batch, r, c, slice(len(part)), slice(part.shape[1]))], part
        )


@given(layouts())
def test_a_pickled_layout_is_what_it_was_made_from(layout):
    boxes = layout.boxes()
    state = layout.__getstate__()
    again = pickle.loads(pickle.dumps(layout))
    assert again == layout
    assert state == [layout.shape, layout.axes, layout.tile]
    assert again.stack_shape == layout.stack_shape
    assert list(again.boxes()) == list(boxes)


def test_problems_of_a_shape_share_a_layout_and_its_boxes():
    layout = tile_layout((32, 64), (0, 1), (4, 4))
    assert tile_layout((32, 64), (0, 1), (4, 4)) is layout
    assert layout.boxes() is layout.boxes()
    assert len(layout.boxes(64)) > len(layout.boxes(256)) > len(layout.boxes())
