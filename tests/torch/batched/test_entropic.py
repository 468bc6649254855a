"""Entropic transport in torch: the CPU's masks, but for ties and what rounding decides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import masksolve as ms
from masksolve.solvers import METHODS, as_options
from masksolve.torch.batched import solve_batched
from masksolve.torch.batched.entropic import entropic
from tests.strategies import problems, random_tiles
from tests.torch.batched.reference import both

PATTERNS = ["1:2", "2:3", "3:5", "2:4", "4:8", "5:10", "8:16", "1:8", "7:8", "4:4"]
OPTIONS = as_options("entropic", METHODS["entropic"].options, None)


def kept(scores, mask):
    return (scores * mask).sum()


@settings(max_examples=60)
@given(problems(max_m=6))
def test_every_tile_gets_a_valid_mask(problem):
    tile, pattern = problem
    found, _ = both(tile, pattern, "entropic", None)
    assert ms.is_valid(found, pattern)
    if pattern.at_most:
        assert (tile[found] > 0).all()


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", ["", ",at-most"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_masks_where_nothing_ties(pattern, kind, dtype):
    m = ms.Pattern.parse(pattern).m
    weights = np.random.default_rng(0).standard_normal((6 * m + 1, 7 * m + 1)).astype(dtype)
    for score in (np.abs, None):
        found, expected = both(weights, pattern + kind, "entropic", score)
        tiles = np.abs(found != expected)[: 6 * m, : 7 * m].reshape(6, m, 7, m).any((1, 3))
        assert tiles.mean() <= (0 if dtype is np.float64 else 0.05)


@pytest.mark.parametrize("pattern", ["2:4", "3:8", "8:16", "2:4,at-most", "6:8,at-most"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_as_good_as_the_cpu_for_scores_of_all_kinds(pattern, dtype):
    pattern = ms.Pattern.parse(pattern)
    tiles = random_tiles(np.random.default_rng(1), 42, pattern.m).astype(dtype)
    for family in range(7):
        weights = tiles[family::7].reshape(-1, pattern.m)
        found, expected = both(weights, pattern, "entropic")
        assert ms.is_valid(found, pattern)
        assert kept(weights, found) >= 0.99 * kept(weights, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"rounds": 0},
        {"doublings": 0, "rounds": 50},
        *({"sharpness": s, "doublings": d} for s, d in ((300, 0), (80, 1), (300, 8))),
        *({"tolerance": tolerance} for tolerance in (0.5, 0.0)),
    ],
)
@pytest.mark.parametrize("kind", ["", ",at-most"])
def test_takes_the_options_of_the_cpu(options, kind):
    weights = np.random.default_rng(2).standard_normal((40, 40))
    found, expected = both(weights, "4:8" + kind, "entropic", **options)
    assert np.array_equal(found, expected)
    found, expected = both(weights.astype(np.float32), "4:8" + kind, "entropic", **options)
    assert kept(np.abs(weights), found) >= 0.98 * kept(np.abs(weights), expected)


def test_powers_of_two_change_nothing():
    tiles = torch.from_numpy(random_tiles(np.random.default_rng(3), 14, 8)).float()
    small, large = (entropic(tiles * 2.0**k, 4, False, **OPTIONS) for k in (-20, 20))
    assert torch.equal(small, large)


def test_no_tile_depends_on_its_neighbours():
    weights = torch.from_numpy(random_tiles(np.random.default_rng(4), 14, 4)).float()
    together = solve_batched(weights.reshape(1, -1, 4), 2, 4, method="entropic")
    for tile, mask in zip(weights, together.reshape(-1, 4, 4), strict=True):
        assert torch.equal(solve_batched(tile[None], 2, 4, method="entropic")[0], mask)
