"""Does a mask obey a pattern? Plain NumPy, no solver involved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.errors import MaskViolation
from masksolve.inputs import as_axes, as_mask
from masksolve.pattern import Pattern
from masksolve.tiles import Box, TileLayout

__all__ = ["check_mask", "is_valid"]

LINES = (("tij->ti", "row"), ("tij->tj", "column"))


def check_mask(
    mask: ArrayLike, pattern: Pattern | str, *, axes: tuple[int, int] = (-2, -1)
) -> None:
    """Raise unless the mask obeys the pattern.

    Lines of full tiles must keep exactly n (or at most n, if the pattern says so);
    lines of partial tiles at most n. For a transposable pattern rows and columns are
    checked, so the mask serves the matrix and its transpose.

    Parameters
    ----------
    mask : array_like of bool, or of 0 and 1, at least 2-D
        True = kept. Dense weights can be checked as ``weights != 0``, against an
        ``at-most`` pattern, since kept weights may be zero.
    pattern : Pattern or str
    axes : tuple of int
        The (output, input) axes of the matrix; the others are a batch.

    Raises
    ------
    MaskViolation
        Naming the first line that breaks the pattern and how many it keeps.
    InvalidInput, InvalidPattern
        If the arguments are not what they should be.

    Examples
    --------
    >>> import numpy as np
    >>> check_mask(np.eye(4), "1:4")
    >>> check_mask(np.tri(4), "2:4")
    Traceback (most recent call last):
        ...
    masksolve.errors.MaskViolation: row 0, columns 0 to 3, keeps 1 of 4: 2:4 takes exactly 2
    """
    pattern = Pattern.parse(pattern)
    found = as_mask(mask)
    layout = TileLayout(found.shape, as_axes(axes, found.ndim, "mask"), pattern.tile_shape)
    refuse_violation(found, layout, pattern)


def refuse_violation(
    mask: NDArray[np.bool_],
    layout: TileLayout,
    pattern: Pattern,
    boxes: Sequence[Box] | None = None,
    *,
    short: bool = True,
) -> None:
    """Raise for the first line of the boxes that breaks the pattern.

    `boxes`: default all; `short`: whether too few in a line break it.
    """
    for box in layout.boxes() if boxes is None else boxes:
        tiles = layout.gather(mask, box, np.bool_)
        found = violation_among(tiles, layout, box, pattern, short=short)
        if found is not None:
            raise found


def violation_among(
    tiles: NDArray[np.bool_], layout: TileLayout, box: Box, pattern: Pattern, *, short: bool = True
) -> MaskViolation | None:
    """Return what is wrong with the first line of a box's tiles (t, h, w) that breaks it."""
    exactly = short and not (pattern.at_most or box.partial)
    for sums, name in _directions(pattern):
        kept = _line_sums(tiles, sums)
        bad = (kept != pattern.n) if exactly else (kept > pattern.n)
        if np.count_nonzero(bad):
            tile, line = (int(i) for i in np.argwhere(bad)[0])
            limit = f"exactly {pattern.n}" if exactly else f"at most {pattern.n}"
            return _violation(
                layout, box, f"{pattern} takes {limit}", name, tile, line, int(kept[tile, line])
            )
    return None


def is_valid(mask: ArrayLike, pattern: Pattern | str, *, axes: tuple[int, int] = (-2, -1)) -> bool:
    """Tell whether the mask obeys the pattern; see `check_mask`.

    Examples
    --------
    >>> is_valid([[1, 1, 0, 0]] * 4, "2:4"), is_valid([[1, 1, 0, 0]] * 4, "2:4,plain")
    (False, True)
    """
    try:
        check_mask(mask, pattern, axes=axes)
    except MaskViolation:
        return False
    return True


def lines_over(tiles: NDArray[np.bool_], pattern: Pattern) -> int:
    """Count the lines of tiles (t, h, w) with more than n."""
    sums = (_line_sums(tiles, sums) for sums, _ in _directions(pattern))
    return sum(int(np.count_nonzero(kept > pattern.n)) for kept in sums)


def lines_short(tiles: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Tell which tiles (t, h, w) have a row, or for h > 1 a column, with fewer than n."""
    kept = _line_sums(tiles, LINES[0][0])
    if tiles.shape[1] > 1:
        kept = np.minimum(kept, _line_sums(tiles, LINES[1][0]))
    short: NDArray[np.bool_] = kept.min(axis=1) < n
    return short


def _directions(pattern: Pattern) -> tuple[tuple[str, str], ...]:
    return LINES[: 2 if pattern.transposable else 1]


def _line_sums(tiles: NDArray[np.bool_], sums: str) -> NDArray[np.uint8]:
    """Count what lines keep, which is at most 64; far faster than `numpy.sum`."""
    kept: NDArray[np.uint8] = np.einsum(sums, tiles.view(np.uint8))
    return kept


def _violation(
    layout: TileLayout, box: Box, limit: str, axis: str, tile: int, line: int, kept: int
) -> MaskViolation:
    h, w = layout.tile
    b, r, c = (int(i) for i in np.unravel_index(tile, box.shape))
    matrix: tuple[int, ...] = ()
    if layout.batch_shape:
        index = np.unravel_index(box.matrices.start + b, layout.batch_shape)
        matrix = tuple(int(i) for i in index)
    row, column = (box.rows.start + r) * h, (box.columns.start + c) * w
    rows, columns = layout.matrix_shape
    if axis == "row":
        number, across, span = row + line, "columns", (column, min(column + w, columns))
    else:
        number, across, span = column + line, "rows", (row, min(row + h, rows))
    where = f"matrix {matrix}, " if matrix else ""
    return MaskViolation(
        f"{where}{axis} {number}, {across} {span[0]} to {span[1] - 1}, keeps {kept} "
        f"of {span[1] - span[0]}: {limit}" + (" in a partial tile" if box.partial else ""),
        matrix=matrix,
        axis=axis,
        line=number,
        span=span,
        kept=kept,
    )
