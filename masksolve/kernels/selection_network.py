"""Selection networks: the n-th and the (n+1)-th largest of m values, branch-free.

Batcher's odd-even merge sort on the next power of two, its spare inputs fixed to plus
or minus infinity so that comparators against them vanish, cut down to the comparators'
halves on which the two outputs depend. How many spare inputs are plus infinity is
chosen to leave the fewest operations.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["SelectionNetwork", "selection_network"]

PLUS, MINUS = -1, -2
"""Wires that carry an infinity instead of a value."""


class Step(NamedTuple):
    """A comparator: reads two values, names its larger and smaller (None: not needed)."""

    first: int
    second: int
    larger: int | None
    smaller: int | None


class SelectionNetwork(NamedTuple):
    """Steps over values numbered from 0; the inputs are 0 to m - 1."""

    steps: tuple[Step, ...]
    nth: int
    next: int

    @property
    def operations(self) -> int:
        """How many maxima and minima it takes."""
        return sum((s.larger is not None) + (s.smaller is not None) for s in self.steps)


@cache
def selection_network(n: int, m: int) -> SelectionNetwork:
    """Build the network for the n-th and (n+1)-th largest of m, ``1 <= n < m``.

    Examples
    --------
    >>> found = selection_network(2, 4)
    >>> len(found.steps), found.operations
    (5, 8)
    """
    size = 1 << (m - 1).bit_length()
    return min(
        (_pruned(n, m, size, above) for above in range(size - m + 1)),
        key=lambda found: found.operations,
    )


def _pruned(n: int, m: int, size: int, above: int) -> SelectionNetwork:
    wires = [PLUS] * above + list(range(m)) + [MINUS] * (size - m - above)
    steps: list[Step] = []
    fresh = m
    for a, b in _merge_sort(size):  # the larger goes to wire a
        x, y = wires[a], wires[b]
        if x == PLUS or y == MINUS:
            continue
        if x == MINUS or y == PLUS:
            wires[a], wires[b] = y, x
            continue
        steps.append(Step(x, y, fresh, fresh + 1))
        wires[a], wires[b] = fresh, fresh + 1
        fresh += 2
    nth, following = wires[above + n - 1], wires[above + n]
    needed = {nth, following}
    kept: list[Step] = []
    for x, y, larger, smaller in reversed(steps):
        step = Step(
            x, y, larger if larger in needed else None, smaller if smaller in needed else None
        )
        if step.larger is not None or step.smaller is not None:
            needed |= {x, y}
            kept.append(step)
    return SelectionNetwork(tuple(reversed(kept)), nth, following)


def _merge_sort(size: int) -> list[tuple[int, int]]:
    """Batcher's comparators for a power of two (Knuth, TAOCP 3, 5.2.2, algorithm M)."""
    pairs = []
    p = size // 2
    while p > 0:
        q, r, d = size // 2, 0, p
        while d > 0:
            pairs += [(i, i + d) for i in range(size - d) if i & p == r]
            d, q, r = q - p, q // 2, p
        p //= 2
    return pairs
