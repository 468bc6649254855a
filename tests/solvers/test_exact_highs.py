"""Method "exact" against linear programming by HiGHS, on ten thousand tiles."""

import numpy as np
import pytest

import masksolve as ms
from masksolve import Pattern
from tests import naive, strategies

TILES = 10_000
SPREAD = [(1, 4), (2, 4), (3, 8), (4, 8), (2, 16), (8, 16), (16, 32)]


def worst_disagreement(pattern, tiles, *, method="exact", signed=False, seed=0):
    """Solve random tiles twice; the largest relative difference of the kept scores.

    Relative to what HiGHS keeps of a tile; for signed scores, which may cancel, to the
    sum of all magnitudes.
    """
    rng = np.random.default_rng([seed, pattern.n, pattern.m, pattern.at_most])
    scores = strategies.random_tiles(rng, tiles, pattern.m)
    if signed:
        scores = scores * rng.choice([-1.0, 1.0], scores.shape)
    ours = ms.solve(scores, pattern, score=None, method=method).tiles.objective.ravel()
    theirs = naive.best_by_highs(scores, pattern.n, pattern.at_most)
    size = np.abs(scores).sum(axis=(1, 2)) if signed else theirs
    return (np.abs(ours - theirs) / np.where(size > 0, size, 1.0)).max()


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), SPREAD)
def test_agrees_with_highs(n, m, at_most):
    pattern = Pattern(n, m, at_most=at_most)
    share = -(-TILES // (2 * len(SPREAD)))
    assert worst_disagreement(pattern, share) <= 1e-9


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 4), (3, 8), (8, 16)])
def test_agrees_with_highs_on_signed_scores(n, m, at_most):
    assert worst_disagreement(Pattern(n, m, at_most=at_most), 140, signed=True) <= 1e-9


@pytest.mark.parametrize("method", ["greedy", "two_approx"])
def test_highs_catches_methods_that_are_not_exact(method):
    assert worst_disagreement(Pattern(4, 8), 14, method=method) > 1e-3
