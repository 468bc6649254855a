"""The device's certificate agrees with the one in NumPy, and proves nothing wrong."""

import numpy as np
import pytest
import torch

import masksolve as ms
from masksolve.certificate import kept_scores, proven, tile_gaps
from masksolve.torch.gpu.certificate import certify
from masksolve.torch.gpu.tiling import Tiling
from tests.torch.gpu.tiles import FAMILIES, chunk_of, matrices, tile


def best(weights, n, m, *, at_most=False, magnitude=True):
    """Solve by the CPU engine; return mask and potentials as a kernel takes them."""
    found = ms.solve(
        weights.to(torch.float64).numpy(),
        f"{n}:{m}{',at-most' * at_most}",
        score=np.abs if magnitude else None,
        potentials=True,
    )
    tiling = Tiling(*weights.shape, m)
    lines = [
        torch.from_numpy(np.asarray(p, dtype=np.float64).reshape(tiling.tiles, m))
        for p in (found.tiles.row_potentials, found.tiles.column_potentials)
    ]
    return torch.from_numpy(found.mask), *lines


def judge(weights, mask, rows, columns, n, m, **how):
    given = {"mask": mask, "row_potentials": rows, "column_potentials": columns}
    chunk = chunk_of(weights, n, m, **given, **how)
    kept, gaps = torch.full((2, chunk.count), np.nan, dtype=torch.float64)
    certify(chunk, kept, gaps)
    flags = chunk.flags.tolist()
    assert flags[2:] == [0, 0]
    return kept.numpy(), gaps.numpy(), flags[0], flags[1]


def expected(weights, mask, rows, columns, n, m, *, at_most=False, magnitude=True):
    """What NumPy says of every tile: kept score, gap, and whether that is a proof."""
    tiling = Tiling(*weights.shape, m)
    verdicts = []
    for k in range(tiling.tiles):
        s = tile(weights, tiling, k).to(torch.float64).numpy()[None]
        s = np.abs(s) if magnitude else s
        x = tile(mask, tiling, k).numpy()[None]
        _, h, w = s.shape
        u, v = rows[k, :h].numpy()[None], columns[k, :w].numpy()[None]
        gap = tile_gaps(s, x, u, v, n, at_most or h < m or w < m)
        verdicts.append((kept_scores(s, x)[0], gap[0], proven(s, x, gap)[0]))
    return map(np.array, zip(*verdicts, strict=True))


def assert_agrees(weights, mask, rows, columns, n, m, **how):
    """Compare the two; return how many tiles are proven."""
    kept, gaps, bad, failures = judge(weights, mask, rows, columns, n, m, **how)
    scores, bounds, fine = expected(weights, mask, rows, columns, n, m, **how)
    size = weights.to(torch.float64).abs().max().item() * m * m
    np.testing.assert_allclose(kept, scores, rtol=1e-14, atol=1e-15 * size)
    np.testing.assert_allclose(gaps, bounds, rtol=1e-12, atol=1e-14 * size)
    assert bad == 0
    assert failures == (~fine).sum()
    return fine.sum()


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_optimal_masks_are_proven(family, at_most):
    for n, m in [(1, 2), (2, 4), (2, 5), (4, 8)]:
        weights = matrices(family, (2, 2 * m, 3 * m), seed=m)
        solution = best(weights, n, m, at_most=at_most)
        assert assert_agrees(weights, *solution, n, m, at_most=at_most) == 12


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(3, 10), (8, 16), (7, 20), (16, 32), (20, 64)])
def test_larger_patterns(n, m, at_most):
    weights = matrices("normal", (1, m, 2 * m))
    solution = best(weights, n, m, at_most=at_most)
    assert assert_agrees(weights, *solution, n, m, at_most=at_most) == 2


def test_partial_tiles_signs_and_dtypes():
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        for magnitude in (False, True):
            weights = matrices("normal", (2, 7, 13), dtype)
            solution = best(weights, 2, 4, magnitude=magnitude)
            assert assert_agrees(weights, *solution, 2, 4, magnitude=magnitude) == 16


def test_strided_views():
    weights = matrices("normal", (16, 3, 8)).permute(1, 2, 0)
    mask, *lines = best(weights, 2, 4)
    strided = torch.zeros(8, 16, 3, dtype=torch.bool).permute(2, 0, 1).copy_(mask)
    assert not strided.is_contiguous()
    assert assert_agrees(weights, strided, *lines, 2, 4) == 24


def test_a_chunk_is_judged_alone():
    weights = matrices("normal", (2, 8, 12))
    mask, rows, columns = best(weights, 2, 4)
    kept, _, _, _ = judge(weights, mask, rows, columns, 2, 4)
    part, gaps, *flags = judge(weights, mask, rows[5:9], columns[5:9], 2, 4, first=5, count=4)
    assert part.tolist() == kept[5:9].tolist()
    assert gaps.max() < 1e-12
    assert flags == [0, 0]


@pytest.mark.parametrize("at_most", [False, True])
def test_wrong_potentials_prove_nothing(at_most):
    weights = matrices("normal", (1, 8, 8))
    mask, rows, columns = best(weights, 2, 4, at_most=at_most)
    rng = np.random.default_rng(0)
    for size in (1.0, 1e9, 1e18, 1e280):
        wrong = columns + size * torch.from_numpy(rng.standard_normal((4, 4)))
        assert assert_agrees(weights, mask, rows, wrong, 2, 4, at_most=at_most) == 0
        assert assert_agrees(weights, mask, wrong, columns, 2, 4, at_most=at_most) == 0
    for value in (np.nan, np.inf, -np.inf):
        for lines in ((rows.clone(), columns), (rows, columns.clone())):
            lines[0][1, 2] = lines[1][3, 0] = value
            _, gaps, _, failures = judge(weights, mask, *lines, 2, 4, at_most=at_most)
            assert failures == 2
            assert np.isinf(gaps).tolist() == [False, True, False, True]


def test_potentials_that_swallow_the_scores_prove_nothing():
    weights = matrices("normal", (1, 4, 4))
    mask = torch.eye(4, dtype=torch.bool)[None]
    far = torch.full((1, 4), 1e25, dtype=torch.float64)
    assert judge(weights, mask, far, -far, 1, 4)[3] == 1


@pytest.mark.parametrize("at_most", [False, True])
def test_a_mask_short_of_the_optimum_is_not_proven(at_most):
    weights = matrices("normal", (1, 8, 8))
    mask, rows, columns = best(weights, 2, 4, at_most=at_most)
    worse = mask.clone()
    worse[0, :4] = mask[0, [1, 2, 3, 0]]  # lines hold as many as before
    assert assert_agrees(weights, worse, rows, columns, 2, 4, at_most=at_most) == 2


def test_negative_potentials_prove_nothing_of_at_most():
    weights = -matrices("normal", (1, 4, 4)).abs()
    mask = torch.ones(1, 4, 4, dtype=torch.bool).triu().tril()
    exact, rows, columns = best(weights, 1, 4, magnitude=False)
    assert judge(weights, exact, rows, columns, 1, 4, magnitude=False)[3] == 0
    _, gaps, _, failures = judge(weights, exact, rows, columns, 1, 4, magnitude=False, at_most=True)
    assert failures == 1
    assert gaps[0] >= -weights[exact].sum().item()  # it is best to keep nothing
    empty, zero = torch.zeros_like(mask), torch.zeros(1, 4, dtype=torch.float64)
    assert judge(weights, empty, zero, zero, 1, 4, magnitude=False, at_most=True)[3] == 0


@pytest.mark.parametrize("at_most", [False, True])
def test_lines_that_hold_too_many_or_too_few_are_flagged(at_most):
    weights = torch.ones(1, 4, 8)
    good, *lines = best(weights, 2, 4, at_most=at_most)
    more, fewer, moved = good.clone(), good.clone(), good.clone()
    more[0, 1, :4] = True
    fewer[0, 1, :4] = False
    moved[0, :, :4] = torch.tensor([True, True, False, False])  # columns alone are wrong
    for mask, wrong in ((more, True), (fewer, not at_most), (moved, True)):
        _, gaps, _, failures = judge(weights, mask, *lines, 2, 4, at_most=at_most)
        assert failures == 1
        assert np.isinf(gaps[0]) == wrong
        assert gaps[1] == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**961])
def test_scores_that_are_not_finite_are_flagged(bad):
    weights = matrices("normal", (1, 4, 8), torch.float64)
    solution = best(weights, 2, 4)
    weights[0, 2, 6] = bad
    _, gaps, flag, failures = judge(weights, *solution, 2, 4)
    assert (flag, failures) == (1, 1)
    assert np.isinf(gaps).tolist() == [False, True]
