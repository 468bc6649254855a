"""The masks of weights that were pruned and stored dense, read off their zeros."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.checks import refuse_violation
from masksolve.inputs import as_axes, as_real
from masksolve.pattern import Pattern
from masksolve.solving import solve
from masksolve.tiles import TileLayout

__all__ = ["mask_of_zeros"]


def mask_of_zeros(
    weights: ArrayLike,
    pattern: Pattern | str,
    *,
    axes: tuple[int, int] = (-2, -1),
    threads: int | None = None,
) -> NDArray[np.bool_]:
    """Find the mask of weights in which what is pruned is zero.

    What is not zero is kept. A kept weight may be zero as well, and nothing tells it from a
    pruned one. So where a line of an exactly-n pattern holds fewer than n others, zeros are
    taken for kept ones until its tile is full: those that ``exact`` chooses among equal
    scores. An at-most pattern leaves them pruned. A tile that cannot be filled, whichever
    zeros are kept, is left with its short lines.

    Parameters
    ----------
    weights : array_like, at least 2-D
        Zeros of either sign count.
    pattern : Pattern or str
    axes : tuple of int
        The (output, input) axes of the matrix; the others are a batch.
    threads : int, optional
        Default: every core.

    Returns
    -------
    ndarray of bool
        Shape of the weights, True = kept.

    Raises
    ------
    MaskViolation
        If a line holds more than n weights that are not zero: the first such line.
    InvalidInput, InvalidPattern
        If the arguments are not what they should be.

    Examples
    --------
    >>> import masksolve as ms
    >>> weights = np.array([[5., 4, 0, 0], [3, 2, 0, 0], [0, 0, 7, 6], [0, 0, 0, 1]])
    >>> mask_of_zeros(weights, "2:4").astype(int)  # one of the kept is zero
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 1],
           [0, 0, 1, 1]])
    >>> mask_of_zeros(weights, "1:4")
    Traceback (most recent call last):
        ...
    masksolve.errors.MaskViolation: row 0, columns 0 to 3, keeps 2 of 4: 1:4 takes at most 1
    """
    pattern = Pattern.parse(pattern)
    array = as_real(weights, "weights")
    pair = as_axes(axes, array.ndim, "weights")
    layout = TileLayout(array.shape, pair, pattern.tile_shape)
    with np.errstate(invalid="ignore"):  # NaN is not zero, which NumPy finds worth a warning
        kept: NDArray[np.bool_] = array != 0
    refuse_violation(kept, layout, pattern, short=False)
    if pattern.at_most:
        return kept
    filled = solve(kept, pattern, score=None, axes=pair, threads=threads).mask
    for box in layout.boxes():
        before, after = (layout.gather(mask, box, np.bool_) for mask in (kept, filled))
        lost = (before & ~after).any(axis=(1, 2))
        if lost.any():  # no mask of the pattern keeps all that is not zero
            after[lost] = before[lost]
            layout.scatter(filled, box, after)
    return filled
