import numpy as np
import pytest

from masksolve.bench.contestants import contestants
from masksolve.bench.registry import Contestant
from masksolve.bench.tiling import from_tiles, run, to_tiles


@pytest.mark.parametrize(("shape", "m"), [((4, 4), 4), ((8, 12), 4), ((6, 2), 1), ((2, 6), 2)])
def test_tiles_come_tile_row_by_tile_row(shape, m):
    matrix = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    tiles = to_tiles(matrix, m)
    across = shape[1] // m
    assert tiles.shape == (matrix.size // m**2, m, m)
    assert tiles.flags.c_contiguous
    for t, tile in enumerate(tiles):
        i, j = t // across * m, t % across * m
        np.testing.assert_array_equal(tile, matrix[i : i + m, j : j + m])


@pytest.mark.parametrize("matrix", [np.eye(8, 12), np.eye(4), np.eye(12, 8).T, np.eye(4)[:, ::-1]])
def test_they_go_back(matrix):
    tiles = to_tiles(matrix, 4)
    back = from_tiles(tiles, matrix.shape)
    np.testing.assert_array_equal(back, matrix)
    assert tiles.flags.c_contiguous
    assert back.flags.c_contiguous


def first_columns(tiles, n):
    """Keep the first n columns of each tile; stands for whoever takes tiles."""
    return np.broadcast_to(np.arange(tiles.shape[-1]) < n, tiles.shape)


def test_a_contestant_that_takes_tiles_gets_them():
    mask = run(Contestant("first", first_columns, "nobody"), np.ones((8, 12), np.float32), 1, 4)
    np.testing.assert_array_equal(mask, np.broadcast_to(np.arange(12) % 4 < 1, (8, 12)))


def test_ours_take_the_matrix():
    scores = np.random.default_rng(0).random((8, 12), dtype=np.float32)
    mask = run(contestants()["exact"], scores, 2, 4)
    assert mask.shape == (8, 12)
    assert (to_tiles(mask, 4).sum(axis=1) == 2).all()
    assert (to_tiles(mask, 4).sum(axis=2) == 2).all()
