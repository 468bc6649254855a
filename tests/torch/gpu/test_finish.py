"""Augmenting paths on the device find the optimum, whatever they start from."""

import numpy as np
import pytest
import torch

import masksolve as ms
from masksolve.certificate import proven, tile_gaps
from masksolve.torch.gpu.finish import finish
from tests.torch.gpu.tiles import FAMILIES, chunk_of, matrices, queue_of, solved, tile

SMALL = [(1, 2), (2, 3), (2, 4), (1, 5), (5, 6), (3, 7), (4, 8)]
LARGER = [(3, 10), (7, 12), (8, 16), (5, 20), (16, 32)]


def run(weights, n, m, *, columns=0.0, rows=np.nan, listed=None, **how):
    """Finish the tiles that are listed, by default all."""
    out = chunk_of(weights, n, m, **how)
    out.column_potentials[:] = columns
    out.row_potentials[:] = rows
    finish(out, *queue_of(out, range(out.count) if listed is None else listed))
    return out


def assert_optimal(out, weights, n, *, at_most=False, magnitude=True):
    """Check lines and proof of every tile in NumPy, and the objective by the CPU engine."""
    tiling = out.tiling
    assert out.flags.tolist() == [0, 0, 0, 0]
    kept = 0.0
    for k in range(tiling.tiles):
        s = tile(weights, tiling, k).to(torch.float64).numpy()
        s = np.abs(s) if magnitude else s
        x = tile(out.mask, tiling, k).numpy()
        h, w = s.shape
        slack = at_most or (h, w) != (tiling.m, tiling.m)
        u = out.row_potentials[k].numpy()
        v = out.column_potentials[k].numpy()
        for axis in (0, 1):
            lines = x.sum(axis=axis)
            assert (lines <= n).all() if slack else (lines == n).all()
        assert not u[h:].any()
        assert not v[w:].any()
        if slack:
            assert (u >= 0).all()
            assert (v >= 0).all()
        gaps = tile_gaps(s[None], x[None], u[None, :h], v[None, :w], n, slack)
        assert proven(s[None], x[None], gaps).all()
        kept += s[x].sum()
    best = solved(weights, n, tiling.m, at_most=at_most, magnitude=magnitude)
    assert best.status is ms.Status.OPTIMAL
    assert kept == pytest.approx(best.objective, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_small_patterns(family, at_most):
    for n, m in SMALL:
        weights = matrices(family, (1, m, m), seed=m)
        out = run(weights, n, m, at_most=at_most)
        assert_optimal(out, weights, n, at_most=at_most)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), LARGER)
def test_larger_patterns(n, m, at_most):
    for family in ("normal", "grid"):
        weights = matrices(family, (1, m, m), seed=n)
        assert_optimal(run(weights, n, m, at_most=at_most), weights, n, at_most=at_most)


@pytest.mark.parametrize("at_most", [False, True])
def test_the_largest_pattern(at_most):
    weights = matrices("grid", (1, 64, 64))
    best = ms.solve(weights.numpy(), f"3:64{',at-most' * at_most}", potentials=True)
    noise = 0.03 * np.random.default_rng(0).standard_normal(64)
    columns = torch.from_numpy(best.tiles.column_potentials[0, 0, 0] + noise)
    out = run(weights, 3, 64, at_most=at_most, columns=columns)
    assert_optimal(out, weights, 3, at_most=at_most)


@pytest.mark.parametrize("at_most", [False, True])
def test_signed_scores(at_most):
    for family in ("normal", "grid", "wide"):
        weights = matrices(family, (1, 12, 12), torch.float64, seed=5)
        out = run(weights, 2, 6, at_most=at_most, magnitude=False)
        assert_optimal(out, weights, 2, at_most=at_most, magnitude=False)
    if at_most:
        assert not run(-weights.abs(), 2, 6, at_most=True, magnitude=False).mask.any()


@pytest.mark.parametrize("magnitude", [False, True])
def test_partial_tiles_hold_at_most_n(magnitude):
    for n, m, shape in [(2, 4, (2, 6, 9)), (3, 5, (1, 7, 4)), (4, 8, (1, 3, 19))]:
        weights = matrices("grid", shape, torch.float64, seed=m)
        out = run(weights, n, m, magnitude=magnitude)
        assert_optimal(out, weights, n, magnitude=magnitude)


STARTS = {
    "random": lambda size, rng: rng.standard_normal(size),
    "random, signed the other way": lambda size, rng: -np.abs(rng.standard_normal(size)),
    "one column for all": lambda size, rng: -100.0 * (np.arange(size[1]) == 0),
    "all but one": lambda size, rng: 3.0 * (np.arange(size[1]) > 0),
    "far away": lambda size, rng: 1e300 * rng.standard_normal(size),
    "shifted far": lambda size, rng: 1e6 + rng.standard_normal(size),
    "no numbers": lambda size, rng: np.full(size, np.nan),
    "infinite": lambda size, rng: np.where(rng.random(size) < 0.5, np.inf, -np.inf),
}


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("start", STARTS)
def test_any_start_leads_to_the_optimum(start, at_most):
    rng = np.random.default_rng(3)
    for family in ("normal", "grid"):
        weights = matrices(family, (1, 4, 11), seed=9)  # the last tile is partial
        columns = torch.from_numpy(STARTS[start]((3, 4), rng))
        out = run(weights, 2, 4, at_most=at_most, columns=columns)
        assert_optimal(out, weights, 2, at_most=at_most)


@pytest.mark.parametrize("at_most", [False, True])
def test_near_optimal_starts(at_most):
    weights = matrices("normal", (1, 8, 16), seed=2)
    best = run(weights, 3, 8, at_most=at_most)
    noise = 0.01 * torch.from_numpy(np.random.default_rng(0).standard_normal((2, 8)))
    for shift in (0.0, noise):
        again = run(
            weights,
            3,
            8,
            at_most=at_most,
            columns=best.column_potentials + shift,
            rows=best.row_potentials,
        )
        assert_optimal(again, weights, 3, at_most=at_most)


def test_row_potentials_do_not_change_the_mask():
    weights = matrices("grid", (1, 6, 6), seed=4)
    masks = [
        run(weights, 3, 6, at_most=at_most, rows=rows).mask
        for at_most in (False, True)
        for rows in (np.nan, 0.0, 1.0, -np.inf, 1e300)
    ]
    for group in (masks[:5], masks[5:]):
        for mask in group:
            assert torch.equal(mask, group[0])


@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-30, 2.0**956])
def test_sizes_of_doubles(size, magnitude):
    whole = matrices("grid", (1, 4, 8), torch.float64, seed=1)
    for weights in (whole * size, matrices("normal", (1, 4, 4), torch.float64) * size / 8):
        if weights.any():
            out = run(weights, 2, 4, magnitude=magnitude)
            assert_optimal(out, weights, 2, magnitude=magnitude)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_dtypes(dtype):
    weights = matrices("normal", (1, 8, 16), dtype, seed=8)
    assert_optimal(run(weights, 4, 8), weights, 4)


def test_strided_weights_and_masks():
    weights = matrices("normal", (6, 1, 8), seed=6).permute(1, 2, 0)
    assert not weights.is_contiguous()
    out = run(weights, 2, 4)
    assert_optimal(out, weights, 2)
    strided = run(weights, 2, 4, mask=torch.zeros(6, 8, 1, dtype=torch.bool).permute(2, 1, 0))
    assert torch.equal(strided.mask, out.mask)


def test_only_what_is_listed_is_solved():
    weights = matrices("normal", (2, 8, 8), seed=7)
    every = run(weights, 2, 4)
    out = run(weights, 2, 4, listed=[6, 1])
    for k in range(8):
        expected = tile(every.mask, out.tiling, k) if k in (1, 6) else torch.zeros(4, 4)
        assert torch.equal(tile(out.mask, out.tiling, k), expected.to(torch.bool))
    assert torch.isnan(out.row_potentials).all(1).tolist() == [k not in (1, 6) for k in range(8)]
    assert not run(weights, 2, 4, listed=[]).mask.any()


def test_a_chunk_starts_at_its_first_tile():
    weights = matrices("normal", (2, 8, 8), seed=7)
    every = run(weights, 2, 4)
    out = run(weights, 2, 4, first=5, count=3, listed=[0, 2])
    for k in (5, 7):
        both = [tile(o.mask, out.tiling, k) for o in (every, out)]
        assert torch.equal(*both)
    assert torch.equal(out.column_potentials[2], every.column_potentials[7])
    assert out.mask.sum() == 16


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**961])
def test_scores_that_are_not_finite_are_flagged(bad):
    weights = matrices("normal", (1, 4, 8), torch.float64)
    weights[0, 2, 6] = bad
    assert run(weights, 2, 4).flags.tolist() == [1, 0, 0, 0]
    if not abs(bad) < np.inf:
        assert run(weights.float(), 2, 4).flags.tolist() == [1, 0, 0, 0]
