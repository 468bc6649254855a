"""Kernels read and write nothing beyond what they are given."""

import numpy as np
import pytest
import torch

from masksolve.torch.gpu.certificate import certify
from masksolve.torch.gpu.finish import finish
from masksolve.torch.gpu.rounds import run_rounds
from masksolve.torch.gpu.tiling import Tiling
from tests.torch.gpu.tiles import chunk_of, matrices, queue_of

GUARD = 64


class Guarded:
    """A tensor in the middle of a larger one whose ends must stay as they are."""

    def __init__(self, shape, dtype, content, end):
        size = int(np.prod(shape))
        self.whole = torch.full((size + 2 * GUARD,), end, dtype=dtype)
        self.inside = self.whole[GUARD : GUARD + size].view(shape)
        self.inside.copy_(torch.as_tensor(content, dtype=dtype).expand(shape))
        self.before = self.whole.clone()

    def assert_kept(self):
        for ends in (slice(None, GUARD), slice(-GUARD, None)):
            assert torch.equal(
                self.whole[ends].view(torch.uint8), self.before[ends].view(torch.uint8)
            )


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 3), (2, 4), (4, 8), (17, 33)])
@pytest.mark.parametrize("family", ["normal", "equal"])
def test_ends_are_left_alone(n, m, family):
    shape = (2, m + 1, 2 * m - 1) if m < 16 else (1, m, m + 1)
    tiling = Tiling(*shape, m)
    tiles = tiling.tiles
    # What lies around the scores would be noticed if it were read as one of them.
    weights = Guarded(shape, torch.float32, matrices(family, shape), np.nan)
    mask = Guarded(shape, torch.bool, False, True)
    u, v = (Guarded((tiles, m), torch.float64, 0.0, np.nan) for _ in range(2))
    kept, gaps = (Guarded((tiles,), torch.float64, 0.0, np.nan) for _ in range(2))
    queue = Guarded((tiles,), torch.int32, -1, -7)
    length, flags = (Guarded((k,), torch.int32, 0, -7) for k in (1, 4))
    chunk = chunk_of(
        weights.inside,
        n,
        m,
        mask=mask.inside,
        row_potentials=u.inside,
        column_potentials=v.inside,
        flags=flags.inside,
    )
    run_rounds(chunk, queue.inside, length.inside)
    finish(chunk, queue.inside, length.inside)
    certify(chunk, kept.inside, gaps.inside)
    assert flags.inside.tolist() == [0, 0, 0, 0]
    for guarded in (weights, mask, u, v, kept, gaps, queue, length, flags):
        guarded.assert_kept()
    assert torch.equal(weights.whole.nan_to_num(), weights.before.nan_to_num())


def beyond_the_first_billions(m, content, dtype, end):
    """Matrices of two tiles, as many of them as there are, which all lie in one place."""
    held = torch.full((3 * GUARD,), end, dtype=dtype)
    held[GUARD : GUARD + 2 * m] = content
    return torch.as_strided(held, (2**30 + 2, m, 2 * m), (0, 0, 1), GUARD)


def test_numbers_of_tiles_do_not_overflow():
    n, m, tiles = 1, 2, 4
    weights = beyond_the_first_billions(m, 1.0, torch.float32, np.nan)
    mask = beyond_the_first_billions(m, False, torch.bool, True)
    kept, gaps = (torch.zeros(tiles, dtype=torch.float64) for _ in range(2))
    chunk = chunk_of(weights, n, m, at_most=True, first=2**31 - 2, count=tiles, mask=mask)
    queue = queue_of(chunk)
    run_rounds(chunk, *queue)
    finish(chunk, *queue)
    certify(chunk, kept, gaps)
    assert not chunk.flags[0]
    assert kept.isfinite().all()
