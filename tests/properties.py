"""What the mathematics promises of a solver, each as a check that takes any solver.

A solver is called as ``solver(scores, pattern)`` and answers like `masksolve.solve`.
Checks compare objectives, never masks: equal scores may be settled either way. That
they can fail is shown on the broken solvers of `tests.broken`.
"""

from fractions import Fraction

import numpy as np
import pytest

from masksolve import Pattern, Status
from tests import naive

ROUNDING = 1e-12
"""Share of the sum of all magnitudes that sums of floats may be off by."""


def catches(check, sound, fault, *arguments):
    """A check that can fail: it passes what is sound, and not what has a fault."""
    check(sound, *arguments)
    with pytest.raises(AssertionError):
        check(fault, *arguments)


def agree(found, expected, scores):
    """Equal but for rounding."""
    assert abs(found - expected) <= ROUNDING * np.abs(scores).sum()


def sound(solver, scores, pattern):
    """The mask of a single tile obeys, its score is what is said, the bound is above."""
    result = solver(scores, pattern)
    assert naive.obeys(result.mask, pattern.n, pattern.at_most)
    agree(result.objective, scores[result.mask].sum(), scores)
    assert result.upper_bound is None or result.upper_bound >= result.objective
    return result


def proven(solver, scores, pattern):
    """Sound, and proven optimal."""
    result = sound(solver, scores, pattern)
    assert result.status is Status.OPTIMAL
    agree(result.upper_bound, result.objective, scores)


def optimal(solver, scores, pattern):
    """Sound, and as good as the best of all masks; the bound does not deny that."""
    result = sound(solver, scores, pattern)
    best = naive.best_by_rows(scores, pattern.n, pattern.at_most)
    agree(result.objective, best, scores)
    if result.upper_bound is not None:
        assert result.upper_bound >= best - ROUNDING * np.abs(scores).sum()


def ragged(solver, scores, pattern):
    """Tile by tile optimal in any shape; lines of partial tiles hold at most n."""
    result, m = solver(scores, pattern), pattern.m
    best = naive.best_by_tile(scores, pattern.n, m, pattern.at_most)
    agree(result.objective, best, scores)
    for i in range(0, len(scores), m):
        for j in range(0, scores.shape[1], m):
            tile = result.mask[i : i + m, j : j + m]
            assert naive.obeys(tile, pattern.n, pattern.at_most or tile.shape != (m, m))


def transposition(solver, scores, pattern):
    """A matrix and its transpose have the same optimum."""
    one, other = solver(scores, pattern), solver(scores.T, pattern)
    agree(one.objective, other.objective, scores)


def permutation(solver, scores, pattern, rows, columns):
    """The order of rows and of columns does not matter."""
    one, other = solver(scores, pattern), solver(scores[rows][:, columns], pattern)
    agree(one.objective, other.objective, scores)


def scaling(solver, scores, pattern, exponent):
    """Scores times a power of two, exact in floating point, scale the optimum."""
    one, other = solver(scores, pattern), solver(np.ldexp(scores, exponent), pattern)
    agree(np.ldexp(one.objective, exponent), other.objective, np.ldexp(scores, exponent))


def row_shift(solver, scores, pattern, row, constant):
    """A constant added to a row, which keeps exactly n, adds n times the constant."""
    assert not pattern.at_most
    shifted = scores.copy()
    shifted[row] += constant
    one, other = solver(scores, pattern), solver(shifted, pattern)
    agree(one.objective + pattern.n * constant, other.objective, np.abs(scores) + abs(constant))


def weak_duality(tile_gaps, scores, n, at_most, u, v):
    """The gap of any mask under any potentials covers what the mask is short of."""
    masks = naive.valid_masks(n, len(scores), at_most)
    tiles, u, v = (np.repeat(a[None], len(masks), axis=0) for a in (scores, u, v))
    gaps = tile_gaps(tiles, masks, u, v, n, at_most)
    kept = (tiles * masks).sum(axis=(1, 2))
    size = np.abs(scores).sum() + n * len(scores) * (np.abs(u[0]).sum() + np.abs(v[0]).sum())
    assert (gaps >= kept.max() - kept - ROUNDING * size).all()


def judged(certify, scores, pattern):
    """Every valid mask of a tiny tile is judged rightly: gap, and OPTIMAL iff it is.

    The masks are laid side by side, each over a copy of the tile. Scores must be
    integers, so that "short of the optimum" is exact.
    """
    masks = naive.valid_masks(pattern.n, pattern.m, pattern.at_most)
    kept = (scores * masks).sum(axis=(1, 2))
    verdict = certify(np.tile(scores, len(masks)), np.concatenate(masks, axis=1), pattern)
    gaps = verdict.tiles.upper_bound - verdict.tiles.objective
    np.testing.assert_array_equal(verdict.tiles.objective.ravel(), kept)
    np.testing.assert_allclose(gaps.ravel(), kept.max() - kept, rtol=0, atol=1e-11)
    all_optimal = kept.min() == kept.max()
    assert (verdict.status is Status.OPTIMAL) == all_optimal
    assert certify(scores, masks[kept.argmax()], pattern).status is Status.OPTIMAL


def at_least_half(solver, scores, pattern):
    """For scores >= 0: at least half of what at most n per line could keep."""
    result = solver(scores, pattern)
    assert naive.obeys(result.mask, pattern.n, at_most=True)
    most = naive.best_by_rows(scores, pattern.n, at_most=True)
    assert result.objective >= most / 2 - ROUNDING * scores.sum()


def prunes_at_most_twice(solver, scores, pattern):
    """For scores >= 0: prunes at most 2 times what the exactly-n optimum prunes."""
    result = solver(scores, pattern)
    assert naive.obeys(result.mask, pattern.n, at_most=True)
    pruned = scores[~result.mask].sum()
    best = scores.sum() - naive.best_by_rows(scores, pattern.n, at_most=False)
    assert pruned <= 2 * best + ROUNDING * scores.sum()


def keeps_share_of_rows(solver, scores, pattern):
    """For scores >= 0: at least n/m of what the n heaviest of every row keep."""
    result = solver(scores, pattern)
    assert naive.obeys(result.mask, pattern.n, at_most=True)
    plain = np.sort(scores, axis=1)[:, pattern.m - pattern.n :].sum()
    assert result.objective >= plain * (pattern.n / pattern.m) - ROUNDING * scores.sum()


def keeps_share_of_all(solver, scores, pattern):
    """At least n/m of the score of the tile, or of its positive scores for at-most-n."""
    result = sound(solver, scores, pattern)
    worth = np.maximum(scores, 0.0) if pattern.at_most else scores
    share = worth.sum() * (pattern.n / pattern.m)
    assert result.objective >= share - ROUNDING * np.abs(scores).sum()


def same_mask_at_any_scale(solver, scores, pattern, exponent):
    """Scores times a power of two, exact in floating point, give the same mask."""
    one, other = solver(scores, pattern), solver(np.ldexp(scores, exponent), pattern)
    np.testing.assert_array_equal(one.mask, other.mask)


def no_exchange_left(solver, scores, pattern):
    """No exchange of two kept for two free entries gains more than rounding can feign."""
    result = sound(solver, scores, pattern)
    best = naive.best_exchange(scores, result.mask, pattern.n, pattern.at_most)
    assert best <= 2.0**-48 * np.abs(scores).max()


def never_below(solver, scores, pattern, mask):
    """From a full mask (any valid one, for at-most-n): no worse than that mask, exactly."""
    result = sound(lambda *args: solver(*args, mask), scores, pattern)
    kept, before = (sum(map(Fraction, scores[x].tolist())) for x in (result.mask, mask))
    assert kept >= before


def within_its_loss(solver, scores, pattern):
    """Short of the optimum by no more than the loss that the method owns up to."""
    result = sound(solver, scores, pattern)
    best = naive.best_by_rows(scores, pattern.n, pattern.at_most)
    slack = ROUNDING * np.abs(scores).sum()
    assert result.objective >= best - result.stats["quantisation_loss"] - slack
    assert result.upper_bound >= best - slack


def filled(repair, scores, mask, pattern):
    """The mask of one tile ends full, and loses only where every full mask scores less."""
    result = repair(scores, mask, pattern)
    full = Pattern(pattern.n, pattern.m)
    assert naive.obeys(result.mask, full.n)
    assert result.status is not Status.UNDERFILLED
    before, after = scores[mask].sum(), scores[result.mask].sum()
    agree(result.objective, after, scores)
    slack = ROUNDING * np.abs(scores).sum()
    lost = before - after
    if lost > slack:
        agree(after, naive.best_by_rows(scores, full.n, at_most=False), scores)
    assert (result.stats["lowered_score"] > slack) == (lost > slack)
    assert abs(result.stats["lowered_score"] - max(lost, 0.0)) <= slack
    assert result.stats["lowered_tiles"] == (result.stats["lowered_score"] > 0)
