"""The oracles themselves: known counts, and each against the others."""

import numpy as np
import pytest

from tests import naive, strategies

COUNTS = {(1, 2): 2, (1, 3): 6, (2, 3): 6, (1, 4): 24, (2, 4): 90, (3, 4): 24, (4, 4): 1}


@pytest.mark.parametrize(("n", "m"), COUNTS)
def test_valid_masks_are_as_many_as_the_literature_says(n, m):
    masks = naive.valid_masks(n, m, at_most=False)
    assert len(np.unique(masks, axis=0)) == len(masks) == COUNTS[n, m]
    assert all(naive.obeys(mask, n) for mask in masks)


def test_at_most_one_of_m_counts_the_partial_permutations():
    assert [len(naive.valid_masks(1, m, at_most=True)) for m in (1, 2, 3, 4)] == [2, 7, 34, 209]


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 4), (3, 4)])
def test_the_three_oracles_agree(n, m, at_most):
    rng = np.random.default_rng(n + m)
    scores = strategies.random_tiles(rng, 28, m, signs=[-1, 1])
    size = np.abs(scores).sum(axis=(1, 2))
    best = naive.best_of_all(scores, n, at_most)
    by_rows = [naive.best_by_rows(tile, n, at_most) for tile in scores]
    assert (np.abs(by_rows - best) <= 1e-14 * size).all()
    assert (np.abs(naive.best_by_highs(scores, n, at_most) - best) <= 1e-12 * size).all()


def test_partial_tiles_hold_at_most_n():
    scores = -np.ones((2, 3))
    scores[0, 2] = 5.0
    assert naive.best_by_tile(scores, 1, 2, at_most=False) == -2.0 + 5.0
    assert naive.best_by_tile(scores, 1, 2, at_most=True) == 5.0
