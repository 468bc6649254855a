"""Solvers with one planted fault each, which the checks of `tests.properties` must catch."""

from dataclasses import replace

import numpy as np

import masksolve as ms


def exact(scores, pattern):
    """The sound one, for comparison: scores of any sign, one thread."""
    return ms.solve(scores, pattern, score=None, threads=1)


def _with_mask(scores, pattern, mask):
    kept = float(scores[mask].sum())
    return replace(exact(scores, pattern), mask=mask, objective=kept)


def swaps_two_entries(scores, pattern):
    """One kept entry of the first row is pruned and a pruned one kept."""
    mask = exact(scores, pattern).mask.copy()
    mask[0, [mask[0].argmax(), mask[0].argmin()]] ^= True
    return _with_mask(scores, pattern, mask)


def rows_only(scores, pattern):
    """The columns are forgotten."""
    plain = replace(pattern, transposable=False)
    return _with_mask(scores, pattern, exact(scores, plain).mask)


def halves_the_bound(scores, pattern):
    """The bound is not one."""
    result = exact(scores, pattern)
    return replace(result, upper_bound=result.upper_bound / 2)


def ignores_negative_scores(scores, pattern):
    """A negative score counts as zero."""
    return _with_mask(scores, pattern, exact(np.maximum(scores, 0.0), pattern).mask)


def ignores_scores(scores, pattern):
    """The same valid mask whatever the scores."""
    offsets = (np.arange(pattern.m)[:, None] + np.arange(pattern.m)) % pattern.m
    return _with_mask(scores, pattern, offsets < pattern.n)


def drops_partial_tiles(scores, pattern):
    """What does not fill a tile is pruned."""
    mask = exact(scores, pattern).mask.copy()
    mask[len(mask) // pattern.m * pattern.m :] = False
    return _with_mask(scores, pattern, mask)


def fills_partial_tiles(scores, pattern):
    """What does not fill a tile is kept, all of it."""
    mask = exact(scores, pattern).mask.copy()
    mask[len(mask) // pattern.m * pattern.m :] = True
    return _with_mask(scores, pattern, mask)


def forgets_the_scale(scores, pattern):
    """The largest score is cut off at 5."""
    return _with_mask(scores, pattern, exact(np.minimum(scores, 5.0), pattern).mask)


def takes_the_worst(scores, pattern):
    """The least is kept instead of the most."""
    return _with_mask(scores, pattern, exact(-scores, pattern).mask)


def keeps_nothing(scores, pattern):
    """An empty mask, which obeys any at-most pattern."""
    return _with_mask(scores, pattern, np.zeros(scores.shape, dtype=bool))


def owns_up_to_nothing(scores, pattern):
    """The least is kept, and a loss of 0 claimed."""
    return replace(takes_the_worst(scores, pattern), stats={"quantisation_loss": 0.0})
