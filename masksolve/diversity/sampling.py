"""Random masks, and masks as integers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.checks import check_mask
from masksolve.diversity.counts import is_exact
from masksolve.diversity.ranking import Ranking, ranking_of
from masksolve.diversity.shapes import as_shape, full_tile
from masksolve.errors import InvalidInput
from masksolve.inputs import as_mask
from masksolve.pattern import Pattern

__all__ = ["rank", "sample", "unrank"]

TRADES = 32
"""Trades of the chain for each row of a tile."""


def sample(
    pattern: Pattern | str,
    shape: Sequence[int],
    rng: np.random.Generator | int | None = None,
    *,
    trades: int | None = None,
) -> NDArray[np.bool_]:
    """Draw a random mask, all masks of the pattern being alike likely.

    Where the masks of a tile can be counted (`is_exact`) the draw is exactly uniform: an
    integer below the count, unranked. Beyond, as for 16:32, a Markov chain deals rows anew,
    whose limit is uniform; the guide says how its mixing was checked.

    Parameters
    ----------
    pattern : Pattern or str
        Of exactly n, transposable or plain.
    shape : sequence of int
        At least two sizes, the last two multiples of the tile's.
    rng : numpy.random.Generator or int, optional
        Where randomness comes from, or its seed.
    trades : int, optional
        Trades of the chain a tile, instead of 32 m; with this the chain is used even where
        the draw could be exact.

    Returns
    -------
    ndarray of bool, of the shape

    Raises
    ------
    InvalidInput
        For at-most patterns and shapes with partial tiles, for which there is no method.

    Examples
    --------
    >>> mask = sample("2:4", shape=(8, 8), rng=0)
    >>> mask.sum(axis=0).tolist(), mask.sum(axis=1).tolist()
    ([4, 4, 4, 4, 4, 4, 4, 4], [4, 4, 4, 4, 4, 4, 4, 4])
    """
    p = Pattern.parse(pattern)
    sizes = _whole_tiles(p, shape, "sample")
    generator = np.random.default_rng(rng)
    tiles = prod(sizes) // prod(p.tile_shape)
    if trades is not None and trades < 0:
        raise InvalidInput(f"trades must be 0 or more, got {trades}")
    if not p.transposable:
        order = generator.random((tiles, p.m)).argsort(axis=1)
        return (order < p.n).reshape(sizes)
    if trades is None and is_exact(p):
        found = ranking_of(full_tile(p)).draw(tiles, generator)
    else:
        found = _deal(p, tiles, generator, TRADES * p.m if trades is None else trades)
    return _join(found, sizes)


def _deal(pattern: Pattern, tiles: int, rng: np.random.Generator, trades: int) -> NDArray[np.bool_]:
    """Run the chain of trades from a circulant mask."""
    from masksolve.kernels.chain import trade_rows

    m = pattern.m
    start = (np.arange(m)[:, None] + np.arange(m)) % m < pattern.n
    masks = np.repeat(start[None], tiles, axis=0)
    trade_rows(masks, trades, rng.integers(0, 2**64, tiles, dtype=np.uint64))
    return masks


def rank(mask: ArrayLike, pattern: Pattern | str) -> int:
    """Return the integer of a mask: at least 0, below ``count(pattern, mask.shape)``.

    Tiles are digits of the integer, the first the most significant; a tile's own order is
    that of `masksolve.kernels.ranking`.

    Parameters
    ----------
    mask : array_like of bool, or of 0 and 1, at least 2-D
        Its matrix, the last two axes, made of full tiles.
    pattern : Pattern or str
        Transposable, exactly n, with tiles that can be counted.

    Raises
    ------
    MaskViolation
        If the mask breaks the pattern.
    InvalidInput
        If there is no order for such a pattern or shape.

    Examples
    --------
    >>> rank([[1, 0], [0, 1]], "1:2"), rank([[0, 1], [1, 0]], "1:2")
    (1, 0)
    """
    p = Pattern.parse(pattern)
    given = as_mask(mask)
    _whole_tiles(p, given.shape, "rank")
    order = _order(p, "rank")
    check_mask(given, p)
    number = 0
    for tile in _cut(given, p.m):
        number = number * order.count + order.number(tile)
    return number


def unrank(number: int, pattern: Pattern | str, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return the mask of an integer: `rank` backwards.

    Parameters
    ----------
    number : int
        At least 0, below ``count(pattern, shape)``.
    pattern : Pattern or str
    shape : sequence of int

    Returns
    -------
    ndarray of bool, of the shape

    Raises
    ------
    InvalidInput
        If the number is out of range, or there is no order for such a pattern or shape.

    Examples
    --------
    >>> unrank(1, "1:2", shape=(2, 2)).astype(int)
    array([[1, 0],
           [0, 1]])
    """
    p = Pattern.parse(pattern)
    sizes = _whole_tiles(p, shape, "unrank")
    order = _order(p, "unrank")
    tiles = prod(sizes) // p.m**2
    most = order.count**tiles
    if not 0 <= number < most:
        raise InvalidInput(
            f"number {number} is out of range: '{p}' has {most} masks of shape {sizes}, "
            "numbered from 0"
        )
    found = np.empty((tiles, p.m, p.m), dtype=np.bool_)
    for k in reversed(range(tiles)):
        number, digit = divmod(number, order.count)
        found[k] = order.mask(digit)
    return _join(found, sizes)


def _whole_tiles(pattern: Pattern, shape: Sequence[int], what: str) -> tuple[int, ...]:
    sizes = as_shape(shape)
    (height, width), (rows, columns) = pattern.tile_shape, sizes[-2:]
    if pattern.at_most:
        raise InvalidInput(f"no method to {what} masks of at most n, as '{pattern}' has them")
    if rows % height or columns % width:
        raise InvalidInput(
            f"no method to {what} masks of shape {sizes}: expected full tiles of {height} x {width}"
        )
    return sizes


def _order(pattern: Pattern, what: str) -> Ranking:
    if not pattern.transposable:
        raise InvalidInput(f"no method to {what} masks of plain patterns, as '{pattern}'")
    if not is_exact(pattern):
        raise InvalidInput(
            f"no method to {what} masks of '{pattern}': they are too many to count exactly"
        )
    return ranking_of(full_tile(pattern))


def _cut(mask: NDArray[np.bool_], m: int) -> NDArray[np.bool_]:
    """List the tiles of all matrices, tile row by tile row."""
    *batch, rows, columns = mask.shape
    tiles = mask.reshape(prod(batch), rows // m, m, columns // m, m).swapaxes(2, 3)
    return np.ascontiguousarray(tiles).reshape(mask.size // m**2, m, m)


def _join(tiles: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Undo `_cut`."""
    *batch, rows, columns = shape
    m = tiles.shape[-1]
    grid = tiles.reshape(prod(batch), rows // m, columns // m, m, m).swapaxes(2, 3)
    return np.ascontiguousarray(grid).reshape(shape)
