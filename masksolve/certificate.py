r"""The proof, in plain NumPy and float64: weak duality, one tile at a time.

For scores :math:`s`, a mask :math:`x`, row potentials :math:`u` and column
potentials :math:`v`,

.. math::

    D(u, v) = n \sum_i u_i + n \sum_j v_j + \sum_{ij} \max(0, s_{ij} - u_i - v_j)

is at least the score of every mask with n per line, whatever :math:`u, v` are (for
"at most n" they must not be negative). With :math:`r_{ij} = s_{ij} - u_i - v_j` the
distance to the mask's own score is

.. math::

    D - \sum_{ij} s_{ij} x_{ij}
    = \sum_{x_{ij}=1} \max(0, -r_{ij}) + \sum_{x_{ij}=0} \max(0, r_{ij})
    + \sum_i u_i (n - x_{i\cdot}) + \sum_j v_j (n - x_{\cdot j}),

which is how `tile_gaps` computes it: for a mask that fills its lines every term is
non-negative, so nothing large cancels and an optimal mask gives a gap of 0 or a few
roundings. Potentials far larger than the scores would swallow them when subtracted; the
most that this can hide is added to the gap. Nothing here is shared with the solvers, not even
constants, which are here again by the names they have there; where the potentials come from
does not matter for the proof.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCE", "kept_scores", "proven", "tile_gaps"]

TOLERANCE = 1e-12
"""A tile is proven optimal when its gap is at most this share of its score."""
GUARD = 8.0
"""Potentials this many times larger than the scores pay for what their rounding hides."""
EPSILON = 2.0**-52


def kept_scores(scores: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Score that each tile's mask keeps.

    Parameters
    ----------
    scores : ndarray of float64, shape (t, h, w)
    mask : ndarray of bool, shape (t, h, w)

    Returns
    -------
    ndarray of float64, shape (t,)

    Examples
    --------
    >>> kept_scores(np.array([[[1.0, 2.0]]]), np.array([[[False, True]]]))
    array([2.])
    """
    kept: NDArray[np.float64] = np.where(mask, scores, 0.0).sum(axis=(1, 2))
    return kept


def tile_gaps(
    scores: NDArray[np.float64],
    mask: NDArray[np.bool_],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    n: int,
    at_most: bool,
) -> NDArray[np.float64]:
    """Dual bound of each tile less the score that its mask keeps.

    Parameters
    ----------
    scores : ndarray of float64, shape (t, h, w)
    mask : ndarray of bool, shape (t, h, w)
    u, v : ndarray of float64, shapes (t, h) and (t, w)
        Any potentials. For plain N:M (h = 1) `v` must be zero.
    n : int
        Entries per line.
    at_most : bool
        Whether lines may hold fewer. Negative potentials prove nothing then and
        count as zero.

    Returns
    -------
    ndarray of float64, shape (t,)
        Non-negative for a mask that obeys the pattern. True to 8 m^2 roundings of the
        largest score: potentials more than 8 times larger pay for theirs by an addition.

    Examples
    --------
    >>> scores = np.array([[[3.0, 1.0], [1.0, 2.0]]])
    >>> mask = np.eye(2, dtype=bool)[None]
    >>> zero = np.zeros((1, 2))
    >>> tile_gaps(scores, mask, zero + 1, zero, 1, False)  # optimal, proven
    array([0.])
    >>> tile_gaps(scores, ~mask, zero + 1, zero, 1, False)  # 3 short of the optimum
    array([3.])
    """
    if at_most:
        u, v = np.maximum(u, 0.0), np.maximum(v, 0.0)
    r = scores - u[:, :, None] - v[:, None, :]
    np.negative(r, out=r, where=mask)
    np.maximum(r, 0.0, out=r)
    gaps: NDArray[np.float64] = r.sum(axis=(1, 2))
    gaps += (u * (n - mask.sum(axis=2))).sum(axis=1)
    gaps += (v * (n - mask.sum(axis=1))).sum(axis=1)
    # Potentials far larger than the scores would swallow them in s - u - v and "prove"
    # anything. What their rounding can hide is added to the bound.
    size = np.abs(u).max(axis=1) + np.abs(v).max(axis=1)
    lost = EPSILON * scores[0].size * size if len(scores) else size
    gaps += np.where(size > GUARD * np.abs(scores).max(axis=(1, 2)), lost, 0.0)
    return gaps


def proven(
    scores: NDArray[np.float64], mask: NDArray[np.bool_], gaps: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which tiles' gaps are within `TOLERANCE` of the tile's score.

    The score is the sum of the kept entries' magnitudes, or the largest magnitude
    in the tile where that is more (it never is for non-negative scores).

    Parameters
    ----------
    scores, mask : ndarray, shape (t, h, w)
    gaps : ndarray of float64, shape (t,)

    Returns
    -------
    ndarray of bool, shape (t,)

    Examples
    --------
    >>> scores, mask = np.ones((2, 1, 2)), np.ones((2, 1, 2), dtype=bool)
    >>> proven(scores, mask, np.array([1e-13, 1e-9]))
    array([ True, False])
    """
    size = np.abs(scores)
    scale = np.maximum(kept_scores(size, mask), size.max(axis=(1, 2)))
    tight: NDArray[np.bool_] = gaps <= TOLERANCE * scale
    return tight
