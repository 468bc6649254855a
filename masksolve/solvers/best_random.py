"""The best of many random masks."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.base import Method, TileSolution
from masksolve.solvers.options import Option

__all__ = ["METHOD", "random_masks", "solve_tiles"]

ENTRIES_AT_ONCE = 1 << 20
"""Masks are drawn in pieces of about so many entries, to bound the memory."""


def solve_tiles(
    scores: NDArray[np.float64],
    n: int,
    at_most: bool,
    start: NDArray[Any] | None = None,
    *,
    tries: int,
    seed: int,
) -> TileSolution:
    """Take the best of the same random masks for every tile, the first among equals.

    At-most-n takes the mask with the best positive scores, without the other entries.
    """
    from masksolve.kernels.best import pick_best

    entries = _entries(n, scores.shape[-1], tries, seed)
    best = np.empty(len(scores), dtype=np.int64)
    pick_best(scores, entries, at_most, best)
    mask = np.zeros(scores.shape, dtype=np.bool_)
    flat = mask.reshape(len(mask), scores.shape[-1] ** 2)
    np.put_along_axis(flat, entries[best].astype(np.int64), True, axis=1)
    if at_most:
        mask &= scores > 0
    return TileSolution(mask)


_DRAWING = Lock()
"""Threads wait for the first one to draw."""


def _entries(n: int, m: int, tries: int, seed: int) -> NDArray[np.uint16]:
    with _DRAWING:
        return _draw(n, m, tries, seed)


@lru_cache(maxsize=8)
def _draw(n: int, m: int, tries: int, seed: int) -> NDArray[np.uint16]:
    """List the flat positions of the masks' entries, n m each."""
    masks = random_masks(n, m, tries, seed)
    _, entries = np.nonzero(masks.reshape(tries, m * m))
    return entries.astype(np.uint16).reshape(tries, n * m)


def random_masks(n: int, m: int, tries: int, seed: int) -> NDArray[np.bool_]:
    """Draw masks whose lines hold n.

    A draw gives each entry an independent random score, keeps from heavy to light while
    both lines have room, and fills the lines that end short (`fill_lines`). Entries of
    a given mask come first with positive probability, so every mask can be drawn; not
    all are equally likely, but the order of rows and of columns makes no difference, so
    that each entry is kept with probability n/m.

    The first min(m, tries) masks are one draw with its columns shifted in a circle:
    together they keep each entry n times, so the best of m is never below the mean.

    Parameters
    ----------
    n, m, tries, seed : int

    Returns
    -------
    ndarray of bool, shape (tries, m, m)

    Examples
    --------
    >>> masks = random_masks(2, 4, tries=10, seed=0)
    >>> masks.sum(axis=2).tolist() == masks.sum(axis=1).tolist() == [[2] * 4] * 10
    True
    >>> masks[:4].sum(axis=0)[0]
    array([2, 2, 2, 2])
    """
    from masksolve.kernels.greedy import keep_heaviest
    from masksolve.kernels.repair import fill_lines

    masks = np.empty((tries, m, m), dtype=np.bool_)
    rng = np.random.default_rng(seed)
    step = max(1, ENTRIES_AT_ONCE // (m * m))
    for first in range(0, tries, step):
        part = masks[first : first + step]
        scores = rng.random(part.shape)
        keep_heaviest(scores, n, False, part)
        fill_lines(scores, n, False, part)
    for shift in range(1, min(m, tries)):
        masks[shift] = np.roll(masks[0], shift, axis=1)
    return masks


METHOD = Method(
    name="best_random",
    exact=False,
    guarantee="kept score is at least n/m of the tile's total if tries >= m, and so is its "
    "expectation for fewer; no line ends short",
    reference="random search, 1000 tries as in the baseline Max1000 of Meng et al. 2025, "
    "arXiv:2505.23949; the shifted first mask is ours",
    solve_tiles=solve_tiles,
    options={
        "tries": Option(1000, "random masks to choose from", 1, 20_000),
        "seed": Option(0, "which masks are drawn", 0, 2**53),
    },
)
