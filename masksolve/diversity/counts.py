"""How many masks a constraint allows: mask diversity."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, factorial, lgamma, log, prod
from math import log10 as log10_of

from masksolve.diversity.asymptotic import log_lines
from masksolve.diversity.shapes import as_shape, full_tile, tiles_of
from masksolve.diversity.tables import Lines, count_lines, countable
from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern

__all__ = [
    "bits",
    "count",
    "hubara",
    "is_exact",
    "log10",
    "log10_hubara",
    "log10_unstructured",
    "matrices",
    "sequential",
    "unstructured",
]


def count(pattern: Pattern | str, shape: Sequence[int]) -> int:
    """Count the masks of an array, exactly.

    Parameters
    ----------
    pattern : Pattern or str
    shape : sequence of int
        At least two sizes; the last two are the matrix, the others a batch. It is cut into
        tiles as `masksolve.solve` does: lines of tiles that an edge cuts off hold at most
        n, and their masks are counted so.

    Returns
    -------
    int

    Raises
    ------
    InvalidInput
        For another kind of shape, or tiles whose masks cannot be counted in memory and in
        some tens of seconds, as those of 16:32: `log10` has a formula for them.
    InvalidPattern
        If there is no such pattern.

    Notes
    -----
    Every pattern up to m = 16 is counted, larger ones if n or m - n is small. Masks of an
    m x m tile by rows, where columns that lack the same are alike; see the guide.

    Examples
    --------
    >>> count("4:8", shape=(8, 8))
    116963796250
    >>> count("2:4,plain", shape=(8, 8)), count("2:4", shape=(8, 8)) == 90**4
    (2821109907456, True)
    """
    p = Pattern.parse(pattern)
    tiles = tiles_of(p, as_shape(shape))
    for lines in tiles:
        if not _can_count(lines):
            raise InvalidInput(
                f"masks of '{p}' in tiles of {lines.rows} x {lines.columns} are too many to "
                "count exactly; diversity.log10 has a formula for full tiles of exactly n"
            )
    return prod(_count(lines) ** times for lines, times in tiles.items())


def is_exact(pattern: Pattern | str) -> bool:
    """Tell whether `count` counts full tiles of a pattern, and `log10` is exact for them.

    Examples
    --------
    >>> is_exact("8:16"), is_exact("16:32")
    (True, False)
    """
    return _can_count(full_tile(Pattern.parse(pattern)))


def log10(pattern: Pattern | str, shape: Sequence[int]) -> float:
    """Return the decimal logarithm of `count`, for layers and models of any size.

    It is exact to rounding where the tiles can be counted. Otherwise, for full tiles of
    exactly n, it is that of Canfield and McKay's formula (`masksolve.diversity.asymptotic`),
    which is off by 0.0023 a tile at most for m > 16 (0.5 % of the count), by 2e-6 a weight.

    Raises
    ------
    InvalidInput
        If there is neither a count nor a formula: tiles that cannot be counted of patterns
        with at most n, or cut off by an edge.

    Examples
    --------
    >>> round(log10("8:16", shape=(4096, 4096)))
    3639983
    """
    p = Pattern.parse(pattern)
    return sum(
        times * _log10_lines(lines, p) for lines, times in tiles_of(p, as_shape(shape)).items()
    )


def bits(pattern: Pattern | str) -> float:
    """Return the entropy of a full tile's masks in bits a weight.

    No code can store a mask, all being alike likely, in fewer bits on average.

    Examples
    --------
    >>> round(bits("2:4"), 3), round(bits("2:4,plain"), 3)
    (0.406, 0.646)
    """
    p = Pattern.parse(pattern)
    height, width = p.tile_shape
    return log10(p, (height, width)) / log10_of(2) / (height * width)


def matrices(
    rows: int, columns: int, row_sum: int, column_sum: int, *, at_most: bool = False
) -> int:
    """Count 0/1 matrices of any shape by their line sums: tiles that are not square.

    Parameters
    ----------
    rows, columns : int
    row_sum, column_sum : int
        What every row and every column sums to, or at most.
    at_most : bool

    Raises
    ------
    InvalidInput
        For negative numbers, and where there are too many to count.

    Examples
    --------
    >>> matrices(2, 4, row_sum=2, column_sum=1), matrices(2, 3, row_sum=2, column_sum=1)
    (6, 0)
    """
    sizes = {"rows": rows, "columns": columns, "row_sum": row_sum, "column_sum": column_sum}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidInput(f"{name} must be an integer of at least 0, got {size!r}")
    lines = Lines(rows, columns, row_sum, column_sum, at_most)
    if rows == 0 or columns == 0:
        return int(at_most or rows * row_sum == columns * column_sum == 0)
    if not lines.possible():
        return 0
    if not countable(_cheaper(lines)):
        raise InvalidInput(
            f"matrices of {rows} x {columns} with lines of {row_sum} and {column_sum} are too "
            "many to count exactly"
        )
    return count_lines(_cheaper(lines))


def unstructured(size: int, kept: int) -> int:
    """Count the masks that keep so many of the weights, anywhere.

    Raises
    ------
    InvalidInput
        Unless 0 <= kept <= size.

    Examples
    --------
    >>> unstructured(16, 8)
    12870
    """
    _check_kept(size, kept)
    return comb(size, kept)


def log10_unstructured(size: int, kept: int) -> float:
    """Return the decimal logarithm of `unstructured`, to about 12 digits, for any size.

    Examples
    --------
    >>> round(log10_unstructured(4096 * 4096, 4096 * 2048))
    5050442
    """
    _check_kept(size, kept)
    if size <= 10_000:
        return log10_of(comb(size, kept))
    return (lgamma(size + 1) - lgamma(kept + 1) - lgamma(size - kept + 1)) / log(10)


def hubara(pattern: Pattern | str, shape: Sequence[int]) -> int:
    """Return the mask diversity by the formula of Hubara et al. 2021, arXiv:2102.08124.

    For a transposable pattern (m! (m-1)! ... (m-n+1)!) to the number of tiles. That counts
    masks more than once: 144 for 2:4, where there are 90. For a plain pattern it is the
    exact number, binom(m, n) to the number of lines.

    Raises
    ------
    InvalidInput
        For patterns of at most n and shapes that m does not divide, which the paper does
        not count.

    Examples
    --------
    >>> hubara("2:4", shape=(4, 4)), hubara("4:8", shape=(8, 8)) > count("4:8", shape=(8, 8))
    (144, True)
    """
    p, tiles = _papers_tiles(pattern, shape)
    return int(_papers_tile(p) ** tiles)


def log10_hubara(pattern: Pattern | str, shape: Sequence[int]) -> float:
    """Return the decimal logarithm of `hubara`, for layers and models of any size.

    Examples
    --------
    >>> round(log10_hubara("4:8", shape=(8, 8)), 3), round(log10("4:8", shape=(8, 8)), 3)
    (13.244, 11.068)
    """
    p, tiles = _papers_tiles(pattern, shape)
    return tiles * log10_of(_papers_tile(p))


def sequential(pattern: Pattern | str, shape: Sequence[int]) -> int:
    """Count the masks whose pruned weights stand next to each other in every line.

    The m - n pruned of a line form one run: n + 1 places for it in a plain pattern; in a
    transposable one the runs of rows and of columns must agree. (The sequential patterns
    with which mask diversity was introduced; we know them from summaries only.)

    Raises
    ------
    InvalidInput
        For patterns of at most n, shapes that m does not divide, and transposable ones with
        m > 16.

    Examples
    --------
    >>> sequential("2:4,plain", shape=(4, 4)), sequential("2:3", shape=(3, 3))
    (81, 6)
    """
    p, tiles = _papers_tiles(pattern, shape)
    if p.transposable and p.m > 16:
        raise InvalidInput(f"sequential masks of '{p}' are counted for m up to 16 only")
    each = _sequential_tile(p.n, p.m) if p.transposable else _runs(p.n, p.m)
    return int(each**tiles)


def _can_count(lines: Lines) -> bool:
    return lines.rows == 1 or countable(_cheaper(lines))


def _count(lines: Lines) -> int:
    if lines.rows == 1 and not lines.at_most:
        return comb(lines.columns, lines.row_sum)
    if lines.rows == 1:
        return sum(comb(lines.columns, k) for k in range(lines.row_sum + 1))
    return count_lines(_cheaper(lines))


def _cheaper(lines: Lines) -> Lines:
    """Swap what is kept and what is pruned, if fewer is pruned: as many masks."""
    h, w, r, c = lines.rows, lines.columns, lines.row_sum, lines.column_sum
    if lines.at_most or 2 * r <= w:
        return lines
    return Lines(h, w, w - r, h - c)


def _log10_lines(lines: Lines, pattern: Pattern) -> float:
    if _can_count(lines):
        return log10_of(_count(lines))
    if lines.at_most:
        raise InvalidInput(
            f"masks of '{pattern}' with at most {pattern.n} in tiles of {lines.rows} x "
            f"{lines.columns} are too many to count, and no formula is known"
        )
    return log_lines(lines) / log(10)


def _check_kept(size: int, kept: int) -> None:
    if not 0 <= kept <= size:
        raise InvalidInput(f"cannot keep {kept} of {size} weights: expected 0 to {size}")


def _papers_tiles(pattern: Pattern | str, shape: Sequence[int]) -> tuple[Pattern, int]:
    p, sizes = Pattern.parse(pattern), as_shape(shape)
    (height, width), (rows, columns) = p.tile_shape, sizes[-2:]
    if p.at_most:
        raise InvalidInput(f"pattern '{p}' is of at most n: the paper counts exactly n only")
    if rows % height or columns % width:
        raise InvalidInput(
            f"shape {sizes} is not made of full tiles of {height} x {width}, which are all "
            "that the paper counts"
        )
    return p, prod(sizes) // (height * width)


def _papers_tile(pattern: Pattern) -> int:
    n, m = pattern.n, pattern.m
    if not pattern.transposable:
        return comb(m, n)
    return prod(factorial(m - k) for k in range(n))


def _runs(n: int, m: int) -> int:
    return n + 1 if n < m else 1


def _sequential_tile(n: int, m: int) -> int:
    """Count row by row: a column is before, so far in, or after its run of pruned."""
    run = m - n
    if run == 0:
        return 1
    ways = {(0,) * m: 1}  # how much of its run each column has had
    for row in range(m):
        later: dict[tuple[int, ...], int] = {}
        for had, times in ways.items():
            inside = [j for j in range(m) if 0 < had[j] < run]
            for start in range(n + 1):
                span = range(start, start + run)
                fits = all(j in span for j in inside) and all(had[j] < run for j in span)
                if not fits:
                    continue
                now = tuple(h + (j in span) for j, h in enumerate(had))
                if all(run - h <= m - row - 1 for h in now):
                    later[now] = later.get(now, 0) + times
        ways = later
    return ways.get((run,) * m, 0)
