"""Each rival solves what it says it solves: against the proven optimum, and naively."""

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.contestants import contestants

from .processes import python

SCIPY = ["SciPy HiGHS", "SciPy assignment"]
EXACT = ["OR-Tools, tile by tile", "PuLP + CBC", *SCIPY, "pattern product"]
FULL = [*EXACT, "torch entropic"]
AT_MOST = ["torch 2-approximation", "torch greedy"]  # their lines may end short
PATTERNS = [(1, 4), (2, 4), (3, 4), (1, 8), (4, 8), (3, 5), (8, 16), (1, 16), (5, 5)]

# PuLP 3.3 announces an interface that 2.9 does not have.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def rival(name, n, m):
    """Return a rival's function, or skip if it lacks a module or does not take n:m."""
    found = contestants()[name]
    assert not found.ours
    assert found.needs
    for module in found.needs:
        pytest.importorskip(module)
    if not found.fits(n, m):
        pytest.skip(f"{name} does not take {n}:{m}")
    return found.solve


def tiles(m, seed=0):
    """Make tiles of every kind that trips a solver, three of each."""
    rng = np.random.default_rng(seed)
    shape = (3, m, m)
    normal = np.abs(rng.standard_normal(shape))
    return np.concatenate(
        [
            normal,
            rng.integers(0, 4, shape),  # ties
            np.ones(shape),
            np.zeros(shape),
            np.exp(3 * rng.standard_normal(shape)),  # heavy tails
            normal * (rng.random(shape) < 0.2),  # mostly zeros
            normal * np.exp(3 * rng.standard_normal((3, 1, m))),  # columns of all sizes
            1e-30 * normal,
            1e30 * normal,
            1e-42 * normal,  # not even normal numbers
        ]
    ).astype(np.float32)


def kept(scores, masks):
    return np.where(masks, scores, 0.0).sum(axis=(1, 2), dtype=np.float64)


def optima(scores, n, m):
    """Proven best kept score of each tile."""
    found = ms.solve(scores.reshape(-1, m), ms.Pattern(n, m))
    assert found.status is ms.Status.OPTIMAL
    return kept(scores, found.mask.reshape(scores.shape))


@pytest.mark.parametrize(("n", "m"), PATTERNS)
@pytest.mark.parametrize("name", FULL + AT_MOST)
def test_masks_hold_n_in_every_line_or_at_most_n(name, n, m):
    scores = tiles(m)
    before = scores.copy()
    masks = rival(name, n, m)(scores, n)
    assert masks.dtype == bool
    assert masks.shape == scores.shape
    for axis in (1, 2):
        kept_in_lines = masks.sum(axis=axis)
        assert (kept_in_lines <= n if name in AT_MOST else kept_in_lines == n).all()
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize(("n", "m"), PATTERNS)
@pytest.mark.parametrize("name", EXACT)
def test_exact_rivals_reach_the_proven_optimum(name, n, m):
    scores = tiles(m)
    masks = rival(name, n, m)(scores, n)
    np.testing.assert_allclose(kept(scores, masks), optima(scores, n, m), rtol=1e-6)


def test_who_promises_the_optimum():
    rivals = {name: c for name, c in contestants().items() if not c.ours}
    assert sorted(name for name, c in rivals.items() if c.exact) == sorted(EXACT)
    assert sorted(rivals) == sorted(FULL + AT_MOST)
    assert all(c.reference and c.quirks for c in rivals.values())


@pytest.mark.parametrize(
    ("name", "bad"), [("pattern product", (4, 8)), ("SciPy assignment", (2, 4))]
)
def test_patterns_that_do_not_fit(name, bad):
    assert not contestants()[name].fits(*bad)
    assert contestants()[name].fits(1, 4)


@pytest.mark.parametrize(
    ("name", "n", "m", "count"),  # a tile more than fit into a block
    [
        ("OR-Tools, tile by tile", 1, 2, 4097),
        ("PuLP + CBC", 2, 16, 5),
        ("SciPy HiGHS", 2, 16, 9),
        ("pattern product", 1, 2, 8193),
        *((name, 1, 2, 2049) for name in ("torch entropic", *AT_MOST)),
    ],
)
def test_blocks_do_not_show(name, n, m, count):
    solve = rival(name, n, m)
    scores = np.random.default_rng(1).random((count, m, m), dtype=np.float32)
    masks = solve(scores, n)
    for k in (0, count // 2, count - 1):
        np.testing.assert_array_equal(masks[k], solve(scores[k : k + 1].copy(), n)[0])


def test_cbc_prints_nothing_and_leaves_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    rival("PuLP + CBC", 2, 4)(tiles(4), 2)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("n", "m"), [(1, 4), (2, 4), (4, 8), (8, 16), (16, 32)])
def test_entropic_loses_little(n, m):
    solve = rival("torch entropic", n, m)
    scores = np.abs(np.random.default_rng(2).standard_normal((64, m, m), dtype=np.float32))
    loss = 1 - kept(scores, solve(scores, n)) / optima(scores, n, m)
    assert loss.min() > -1e-6
    assert loss.mean() < 0.005


def test_entropic_plans_are_what_the_paper_iterates():
    """The projections written out, with the correction apart, in float64."""
    torch = pytest.importorskip("torch")
    from masksolve.bench.rivals import torch_entropic

    n, scores = 3, np.random.default_rng(3).random((20, 6, 6))
    plan = np.exp(torch_entropic.SHARPNESS * (scores / scores.max(axis=(1, 2), keepdims=True) - 1))
    correction = np.ones_like(plan)
    for _ in range(torch_entropic.ROUNDS):
        plan *= n / plan.sum(axis=2, keepdims=True)
        plan *= n / plan.sum(axis=1, keepdims=True)
        corrected = plan * correction
        plan = np.minimum(corrected, 1)
        correction = corrected / plan
    found = torch_entropic._plans(torch.from_numpy(scores), n).numpy()
    np.testing.assert_allclose(found, plan, atol=1e-9)


def prune_one_by_one(tile, n):
    """The paper's 2-approximation, an entry at a time."""
    m = len(tile)
    mask = np.ones((m, m), dtype=bool)
    for entry in np.argsort(tile, axis=None):
        i, j = divmod(entry, m)
        if (~mask[i]).sum() < m - n or (~mask[:, j]).sum() < m - n:
            mask[i, j] = False
    return mask


def keep_one_by_one(tile, n):
    """The published code's greedy, an entry at a time."""
    m = len(tile)
    mask = np.zeros((m, m), dtype=bool)
    for entry in np.argsort(-tile, axis=None):
        i, j = divmod(entry, m)
        if mask[i].sum() < n and mask[:, j].sum() < n:
            mask[i, j] = True
    return mask


@pytest.mark.parametrize(("n", "m"), [(1, 4), (2, 4), (3, 4), (4, 8), (5, 16)])
@pytest.mark.parametrize(
    ("name", "naive", "ours"),
    [
        ("torch 2-approximation", prune_one_by_one, "two_approx"),
        ("torch greedy", keep_one_by_one, "greedy"),
    ],
)
def test_walks_in_step_are_walks_one_by_one(name, naive, ours, n, m):
    scores = np.random.default_rng(4).random((50, m, m), dtype=np.float32)
    masks = rival(name, n, m)(scores, n)
    np.testing.assert_array_equal(masks, [naive(tile, n) for tile in scores])
    mine = ms.solve(scores.reshape(-1, m), ms.Pattern(n, m), method=ours).mask
    np.testing.assert_array_equal(masks.reshape(-1, m), mine)


def test_two_approx_keeps_what_is_heavy_in_both_lines():
    n, m = 4, 8
    scores = np.random.default_rng(5).random((50, m, m), dtype=np.float32)
    in_row = (-scores).argsort(axis=2).argsort(axis=2) < n
    in_column = (-scores).argsort(axis=1).argsort(axis=1) < n
    masks = rival("torch 2-approximation", n, m)(scores, n)
    np.testing.assert_array_equal(masks, in_row & in_column)


def test_two_approx_keeps_its_promise():
    n, m = 4, 8
    scores = tiles(m)
    masks = rival("torch 2-approximation", n, m)(scores, n)
    pruned = kept(scores, ~masks)
    least = scores.sum(axis=(1, 2), dtype=np.float64) - optima(scores, n, m)
    assert (pruned <= 2 * least * (1 + 1e-6)).all()


def test_pattern_product_has_the_patterns_of_the_paper():
    from masksolve.bench.rivals import pattern_product

    assert [len(pattern_product._patterns(n, 4)) for n in (1, 2, 3)] == [24, 90, 24]


def test_rivals_are_listed_without_what_they_need():
    code = """
import sys
absent = "torch pulp scipy ortools sklearn transformers matplotlib pyperf"
sys.modules |= dict.fromkeys(absent.split())
from masksolve.bench.contestants import contestants
print(sum(not c.ours for c in contestants().values()))
"""
    status, told, errors = python("-c", code)
    assert status == 0, errors
    assert int(told) == len(FULL + AT_MOST)
