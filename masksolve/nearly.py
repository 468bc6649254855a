"""Zeros that a conversion has moved: nearly zero, which is not a broken pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.checks import lines_over, violation_among
from masksolve.errors import InvalidInput, MaskViolation
from masksolve.inputs import as_axes, as_number, as_real
from masksolve.pattern import Pattern
from masksolve.tiles import Box, TileLayout

__all__ = ["ZeroReport", "inspect_zeros"]


@dataclass(frozen=True)
class ZeroReport:
    """How the zeros of weights stand against a pattern; `inspect_zeros` returns it.

    Attributes
    ----------
    pattern : Pattern
    nearly : float
        Up to which share of the largest weight a weight counts as nearly zero.
    lines : int
        Lines of at most m there are in all: rows, and for a transposable pattern columns.
    over : int
        Lines with more than n weights that are not zero,
    broken : int
        and those with more than n that are not even nearly zero.
    moved : int
        Weights that are nearly zero, and not zero.
    largest : float
        Size of the largest of them; 0 without any.
    violation : MaskViolation or None
        The first of the broken lines.
    """

    pattern: Pattern
    nearly: float
    lines: int
    over: int
    broken: int
    moved: int
    largest: float
    violation: MaskViolation | None

    @property
    def verdict(self) -> str:
        """``"valid"``, ``"nearly"`` if all that is too much is nearly zero, or ``"broken"``."""
        return "broken" if self.broken else "nearly" if self.over else "valid"

    def __str__(self) -> str:
        n, near = self.pattern.n, f"within {self.nearly:g} of zero (times the largest weight)"
        over = f"{self.over} of {self.lines} lines hold more than {n} nonzeros"
        if self.broken:
            return f"broken: {over}, {self.broken} of them more than {n} not {near}"
        if self.over:
            return f"moved off zero, not broken: {over}, all that is too much {near}"
        return f"valid: none of {self.lines} lines holds more than {n} nonzeros"


def inspect_zeros(
    weights: ArrayLike,
    pattern: Pattern | str,
    *,
    nearly: float = 1e-6,
    axes: tuple[int, int] = (-2, -1),
) -> ZeroReport:
    """Tell weights whose zeros a conversion has moved a little from weights that break a pattern.

    A weight w is nearly zero if ``|w| <= nearly * max |w|``, the largest size of a finite
    weight in the whole array. That is relative since rounding is: what it leaves in the place
    of a zero grows with the weights around it, so one number does for all tensors of a model.
    Kept weights may be zero, so lines may hold fewer than n.

    Parameters
    ----------
    weights : array_like, at least 2-D
        NaN and infinities are not nearly zero.
    pattern : Pattern or str
    nearly : float
        From 0, where only zeros count, to less than 1.
    axes : tuple of int
        The (output, input) axes of the matrix; the others are a batch.

    Returns
    -------
    ZeroReport
        Print it for a sentence.

    Raises
    ------
    InvalidInput, InvalidPattern
        If the arguments are not what they should be.

    Examples
    --------
    >>> weights = np.array([[5., 4, 0, 0], [3, 2, 0, 0], [0, 0, 7, 6], [0, 0, 2, 1]])
    >>> print(inspect_zeros(weights, "2:4"))
    valid: none of 8 lines holds more than 2 nonzeros
    >>> weights[0, 3] = 1e-7
    >>> print(inspect_zeros(weights, "2:4"))
    moved off zero, not broken: 2 of 8 lines hold more than 2 nonzeros, all that is too much
    within 1e-06 of zero (times the largest weight)
    >>> weights[0, 2] = 0.1
    >>> report = inspect_zeros(weights, "2:4")
    >>> report.verdict, report.over, report.broken
    ('broken', 3, 2)
    >>> print(report.violation)
    row 0, columns 0 to 3, keeps 3 of 4: 2:4 takes at most 2
    """
    pattern = Pattern.parse(pattern)
    array = as_real(weights, "weights")
    layout = TileLayout(array.shape, as_axes(axes, array.ndim, "weights"), pattern.tile_shape)
    if not as_number(nearly, "nearly", 0) < 1:
        raise InvalidInput(f"nearly must be a share of the largest weight below 1, got {nearly!r}")
    limit = nearly * max((_largest(sizes) for _, sizes in _sizes(array, layout)), default=0.0)
    over = broken = moved = 0
    largest, violation = 0.0, None
    for box, sizes in _sizes(array, layout):
        kept, near = sizes != 0, sizes <= limit
        far = ~near
        over, broken = over + lines_over(kept, pattern), broken + lines_over(far, pattern)
        if violation is None:
            violation = violation_among(far, layout, box, pattern, short=False)
        off = sizes[kept & near]
        moved, largest = moved + off.size, max(largest, float(off.max(initial=0)))
    return ZeroReport(
        pattern, nearly, _count_lines(layout, pattern), over, broken, moved, largest, violation
    )


def _sizes(
    array: NDArray[np.generic], layout: TileLayout
) -> Iterator[tuple[Box, NDArray[np.float64]]]:
    """Give the sizes of the weights box by box: of any dtype, in little memory."""
    for box in layout.boxes():
        yield box, np.abs(layout.gather(array, box, np.float64))


def _largest(sizes: NDArray[np.float64]) -> float:
    return float(sizes.max(initial=0, where=np.isfinite(sizes)))


def _count_lines(layout: TileLayout, pattern: Pattern) -> int:
    (rows, columns), (tiles_down, tiles_across) = layout.matrix_shape, layout.grid
    found = rows * tiles_across + (columns * tiles_down if pattern.transposable else 0)
    return found * layout.stack_shape[0]
