"""Chunks cover every tile once, and hold as much as they may."""

import pytest
import torch

from masksolve.torch.batched.chunks import chunks


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 9, 5), (2, 3, 3), (0, 4, 4), (1, 0, 4), (2, 17, 8)]
)
@pytest.mark.parametrize("tile", [(4, 4), (1, 4), (3, 3)])
@pytest.mark.parametrize("entries", [1, 16, 40, 1000])
def test_every_entry_comes_back_where_it_was(shape, tile, entries):
    matrices = torch.arange(1, 1 + torch.Size(shape).numel()).reshape(shape).to(torch.int16)
    seen = torch.zeros(shape, dtype=torch.bool)
    h, w = tile
    for chunk in chunks(matrices.shape, tile, entries):
        tiles = chunk.gather(matrices, magnitude=False)
        assert tiles.is_contiguous()
        assert tiles.shape[1:] == tile
        assert len(tiles) == 1 or tiles.numel() <= entries
        part = matrices[chunk.box]
        assert chunk.partial == (part.shape[1] % h > 0 or part.shape[2] % w > 0)
        assert tiles.sum() == part.sum()
        assert not seen[chunk.box].any()
        chunk.scatter(seen, tiles > 0)
        assert seen[chunk.box].all()
    assert seen.all()


def test_tiles_are_cut_along_rows_first():
    matrices = torch.arange(16.0).reshape(1, 4, 4) - 8
    (chunk,) = chunks(matrices.shape, (2, 2), 100)
    assert chunk.gather(matrices, magnitude=False)[1].tolist() == [[-6, -5], [-2, -1]]
    assert chunk.gather(matrices, magnitude=True)[1].tolist() == [[6, 5], [2, 1]]
    assert matrices.min() == -8


def test_double_precision_where_single_does_not_do():
    precision = dict.fromkeys([torch.bfloat16, torch.int8], torch.float32)
    precision |= dict.fromkeys([torch.int32, torch.float64], torch.float64)
    for dtype, expected in precision.items():
        matrices = torch.ones(1, 2, 3, dtype=dtype)
        for chunk in chunks(matrices.shape, (2, 2), 100):
            assert chunk.gather(matrices, magnitude=True).dtype == expected
