"""What the rounds call done is the optimum; the rest is on the list."""

import numpy as np
import pytest
import torch

from masksolve.certificate import proven, tile_gaps
from masksolve.torch.gpu.rounds import run_rounds
from tests.torch.gpu.tiles import FAMILIES, chunk_of, matrices, queue_of, solved, tile

PATTERNS = [(1, 2), (2, 4), (3, 4), (2, 5), (4, 8), (3, 10), (8, 16), (17, 33)]


def run(weights, n, m, *, start=None, **how):
    out = chunk_of(weights, n, m, **how)
    queue, length = queue_of(out)
    run_rounds(out, queue, length, start)
    left = queue.tolist()
    number = length.item()
    assert left[number:] == [-1] * (out.count - number)
    assert len(set(left[:number])) == number
    return out, set(left[:number])


def assert_proven(out, weights, n, *, at_most, magnitude, left):
    """Check the proof of every tile that is done by the certificate in NumPy."""
    tiling = out.tiling
    for k in set(range(tiling.tiles)) - left:
        s = tile(weights, tiling, k).to(torch.float64).numpy()[None]
        s = np.abs(s) if magnitude else s
        x = tile(out.mask, tiling, k).numpy()[None]
        u, v = (lines[k].numpy()[None] for lines in (out.row_potentials, out.column_potentials))
        for axis in (1, 2):
            lines = x.sum(axis=axis)
            assert (lines <= n).all() if at_most else (lines == n).all()
        gaps = tile_gaps(s, x, u, v, n, at_most)
        assert proven(s, x, gaps).all()


@pytest.mark.parametrize(("n", "m"), PATTERNS)
def test_of_normal_weights_nearly_all_are_proven(n, m):
    weights = matrices("normal", (2, 2 * m, m) if m < 16 else (1, m, m))
    out, left = run(weights, n, m)
    assert len(left) <= 1
    assert_proven(out, weights, n, at_most=False, magnitude=True, left=left)
    assert not out.flags.any()
    best = solved(weights, n, m).mask
    for k in set(range(out.tiling.tiles)) - left:
        expected = tile(best, out.tiling, k)
        assert np.array_equal(tile(out.mask, out.tiling, k).numpy(), expected)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_done_is_proven(family, magnitude, at_most):
    for n, m in ((2, 4), (3, 5), (4, 8)):
        weights = matrices(family, (1, 2 * m, 4 * m), seed=m)
        out, left = run(weights, n, m, at_most=at_most, magnitude=magnitude)
        assert_proven(out, weights, n, at_most=at_most, magnitude=magnitude, left=left)
        assert not out.flags.any()
        if family in ("equal", "zeros") and not at_most:
            assert len(left) == out.tiling.tiles  # no threshold splits equal scores
        if family in ("normal", "scaled", "subnormal"):
            assert len(left) < out.tiling.tiles


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(dtype):
    scale = 1e200 if dtype == torch.float64 else 1.0
    weights = matrices("normal", (1, 16, 32), dtype) * scale
    out, left = run(weights, 4, 8)
    assert len(left) < 4
    assert_proven(out, weights, 4, at_most=False, magnitude=True, left=left)


def test_doubles_that_single_precision_does_not_tell_apart_are_left():
    weights = matrices("normal", (1, 8, 8), torch.float64)
    near = weights.to(torch.float32).to(torch.float64) * (1 + 1e-12)
    out, left = run(near, 4, 8)
    assert_proven(out, near, 4, at_most=False, magnitude=True, left=left)
    close = torch.tensor([[[1.0, 1.0 + 1e-12], [1.0, 1.0]]], dtype=torch.float64)
    assert run(close, 1, 2)[1] == {0}


@pytest.mark.parametrize("m", [4, 33])
def test_partial_tiles_are_left(m):
    n = m // 2
    weights = matrices("normal", (2, m + 1, 2 * m + m // 2))
    out, left = run(weights, n, m)
    tiling = out.tiling
    whole = {k for k in range(tiling.tiles) if tile(weights, tiling, k).shape == (m, m)}
    assert len(whole) == 4
    assert left == set(range(tiling.tiles)) - whole
    for k in left:
        assert not tile(out.mask, tiling, k).any()
        assert not out.column_potentials[k].any()


@pytest.mark.parametrize("turn", ["transposed", "strided", "reversed batch"])
def test_any_strides(turn):
    weights = matrices("normal", (2, 12, 16))
    view = {
        "transposed": lambda w: w.transpose(1, 2).contiguous().transpose(1, 2),
        "strided": lambda w: torch.stack([w, w], dim=-1)[..., 0],
        "reversed batch": lambda w: w.transpose(0, 1).contiguous().transpose(0, 1),
    }[turn](weights)
    assert view.stride() != weights.stride()
    expected, left = run(weights, 2, 4)
    found, same = run(view, 2, 4)
    assert left == same
    assert torch.equal(found.mask, expected.mask)


def test_a_misaligned_view():
    held = torch.zeros(1 + 12 * 16)
    view = held[1:].view(1, 12, 16)
    view.copy_(matrices("normal", (1, 12, 16)))
    assert torch.equal(run(view, 2, 4)[0].mask, run(view.clone(), 2, 4)[0].mask)


@pytest.mark.parametrize("m", [4, 33])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_flagged(bad, m):
    weights = matrices("normal", (1, m, 2 * m))
    weights[0, m - 1, 0] = bad
    out, left = run(weights, m // 2, m)
    assert out.flags.tolist() == [1, 0, 0, 0]
    assert 0 not in left
    if 1 not in left:
        assert (tile(out.mask, out.tiling, 1).sum(0) == m // 2).all()


@pytest.mark.parametrize("at_most", [False, True])
def test_a_warm_start_proves_at_once(at_most):
    weights = matrices("normal", (1, 16, 32))
    first, left = run(weights, 4, 8, at_most=at_most, magnitude=False)
    start = first.column_potentials
    again, still = run(weights, 4, 8, at_most=at_most, magnitude=False, start=start)
    assert still <= left
    assert torch.equal(again.mask, first.mask)
    assert torch.equal(again.column_potentials, start)  # it was not moved: no round was run
    moved = weights + 0.01 * matrices("normal", (1, 16, 32), seed=1)
    for rough in (start, torch.full_like(start, 3.0), torch.zeros_like(start)):
        out, left = run(moved, 4, 8, at_most=at_most, magnitude=False, start=rough)
        assert_proven(out, moved, 4, at_most=at_most, magnitude=False, left=left)


def test_a_tile_does_not_depend_on_its_neighbours():
    weights = matrices("normal", (1, 8, 64))
    together, _ = run(weights, 4, 8)
    for k in range(8):
        alone, _ = run(weights[:, :, 8 * k : 8 * k + 8], 4, 8)
        for what in ("row_potentials", "column_potentials"):
            assert torch.equal(getattr(alone, what)[0], getattr(together, what)[k])
