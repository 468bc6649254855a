"""How many 0/1 matrices have given line sums: exact, row by row, by states of columns."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from masksolve.inputs import as_threads

__all__ = ["Lines", "below_of", "count_lines", "countable", "primes_for", "residues"]

MOST_VALUES = 20_000_000
"""Values of a row's table that are held at once: about a gigabyte with what goes beside."""
MOST_WORK = 6_000_000_000
"""Steps of a count: some tens of seconds."""
BITS = 30


@dataclass(frozen=True)
class Lines:
    """0/1 matrices whose rows sum to `row_sum` and columns to `column_sum`, or at most so.

    Attributes
    ----------
    rows, columns : int
    row_sum, column_sum : int
        At least 0.
    at_most : bool
    """

    rows: int
    columns: int
    row_sum: int
    column_sum: int
    at_most: bool = False

    def possible(self) -> bool:
        """Whether there is such a matrix at all."""
        if self.at_most:
            return True
        return (
            self.row_sum <= self.columns
            and self.column_sum <= self.rows
            and self.rows * self.row_sum == self.columns * self.column_sum
        )

    def levels(self, left: int) -> range:
        """Give what a column can lack when so many rows are left."""
        most = min(self.column_sum, self.rows)
        return range(max(0, most - (self.rows - left)), min(most, left) + 1)

    def states(self, left: int) -> int:
        """Count the states when so many rows are left."""
        return comb(self.columns + len(self.levels(left)) - 1, self.columns)

    @property
    def quotas(self) -> int:
        """How many counts of a row's ones are told apart: 1 where they settle themselves."""
        return self.row_sum + 1 if self.at_most and self.row_sum < self.columns else 1

    def bits(self) -> int:
        """Bound the bits of the count: by the rows alone, and by the columns alone."""
        sides = (
            (self.rows, self.columns, self.row_sum),
            (self.columns, self.rows, self.column_sum),
        )
        return int(min(k * log2(_lines(size, n, self.at_most)) for k, size, n in sides)) + 2


def _lines(size: int, n: int, at_most: bool) -> int:
    return sum(comb(size, k) for k in range(n + 1)) if at_most else comb(size, n)


def countable(lines: Lines) -> bool:
    """Tell whether `count_lines` can do it in memory and in some tens of seconds."""
    if not lines.possible():
        return True
    states = [lines.states(left) for left in range(lines.rows + 1)]
    work = sum(states) * len(lines.levels(lines.rows // 2)) * lines.quotas
    primes = lines.bits() // BITS + 1
    return max(states) * lines.quotas <= MOST_VALUES and 3 * work * primes <= MOST_WORK


@cache
def count_lines(lines: Lines) -> int:
    """Count the matrices, exactly: modulo several primes, joined by the Chinese remainder.

    Examples
    --------
    >>> count_lines(Lines(4, 4, 2, 2)), count_lines(Lines(2, 2, 1, 1, at_most=True))
    (90, 7)
    """
    if not lines.possible():
        return 0
    if lines.row_sum == 0 or lines.column_sum == 0:
        return 1
    primes = primes_for(lines)
    with ThreadPoolExecutor(as_threads(None)) as pool:
        found = list(pool.map(lambda prime: _last(lines, prime), primes))
    return _join(found, primes)


def _last(lines: Lines, prime: int) -> int:
    value = 0
    for table in residues(lines, prime):
        value = int(table[-1])
    return value


def _join(found: list[int], primes: list[int]) -> int:
    """Solve x = found[k] modulo primes[k] for all k (Chinese remainder theorem)."""
    value, product = 0, 1
    for residue, prime in zip(found, primes, strict=True):
        value += product * ((residue - value) * pow(product, -1, prime) % prime)
        product *= prime
    return value


def primes_for(lines: Lines) -> list[int]:
    """List primes below 2**31, largest first, whose product is above the count."""
    return list(islice(_primes(), lines.bits() // BITS + 1))


def _primes() -> Iterator[int]:
    for number in range(2**31 - 1, 2**30, -2):
        if _is_prime(number):
            yield number


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test, which with these bases errs for nothing below 2**32."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 7, 61):
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


@cache
def states_of(levels: int, columns: int) -> NDArray[np.int64]:
    """List the ways to spread columns over levels: (count, levels), in order."""
    from masksolve.kernels.counting import list_states

    states = np.empty((comb(columns + levels - 1, columns), levels), dtype=np.int64)
    list_states(columns, states)
    return states


@cache
def below_of(levels: int, columns: int) -> NDArray[np.int64]:
    """Make the table that numbers states of up to so many levels.

    Entry (j, k, x): the ways to spread k columns over a level and the j above it with fewer
    than x in that level.
    """
    below = np.zeros((levels, columns + 1, columns + 2), dtype=np.int64)
    for above in range(1, levels):
        for left in range(columns + 1):
            ways = [comb(left - x + above - 1, above - 1) for x in range(left + 1)]
            below[above, left, 1 : left + 2] = np.cumsum(ways)
    return below


def residues(lines: Lines, prime: int) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of ways to fill 0, 1, 2, ... rows, for every state, modulo a prime.

    Yields
    ------
    ndarray of int64, shape (states,)
        States over ``lines.levels(left)``, in the order of `states_of`.
    """
    from masksolve.kernels.counting import after_row, before_row, move_levels

    columns, quotas = lines.columns, lines.quotas
    below = below_of(len(lines.levels(lines.rows // 2)) + 1, columns)
    binomials = np.array(
        [[comb(a, b) % prime for b in range(columns + 1)] for a in range(columns + 1)]
    )
    values = np.ones(1, dtype=np.int64)  # nothing is lacking, no row is left
    yield values
    for left in range(1, lines.rows + 1):
        before, after = lines.levels(left), lines.levels(left - 1)
        wide = range(after.start, before.stop)
        states = states_of(len(wide), columns)
        if after.stop < before.stop:
            later = np.empty(len(states), dtype=np.int64)
            after_row(states, columns, below, values, lines.at_most, later)
        else:
            later = values
        live = np.ones(len(states), dtype=np.bool_)
        if not lines.at_most:  # what is lacking says how many ones the row has put
            put = states @ np.array(wide) - lines.row_sum * (left - 1)
            live = (put >= 0) & (put <= lines.row_sum)
        work = np.repeat(later[:, None], quotas, axis=1)
        move_levels(states, live, columns, below, binomials, prime, work, np.empty_like(work))
        if not lines.at_most:
            work[put != lines.row_sum] = 0
        found = np.ascontiguousarray(work[:, -1])
        states = states_of(len(before), columns)
        values = np.empty(len(states), dtype=np.int64)
        before_row(states, before.start - wide.start, columns, below, found, values)
        yield values
