"""Selection networks: the n-th and the (n+1)-th largest of m values, branch-free.

Each is cut from a larger one. Spare inputs are fixed to plus or minus infinity, so that
comparators against them vanish; comparators lose the halves on which the outputs do not depend.
To be cut are Batcher's odd-even merge sort of a power of two, and what a search found
(`MIDDLES`). Which inputs are spare is chosen to leave the fewest operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

from masksolve.kernels.middles import MIDDLES

__all__ = [
    "SelectionNetwork",
    "merge_sort",
    "middle_network",
    "selection_network",
    "selection_networks",
]

PLUS, MINUS = -1, -2
"""Wires that carry an infinity instead of a value."""

Comparators: TypeAlias = Sequence[tuple[int, int]]
"""Pairs of wires; the larger value goes to the first of a pair."""


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
    return min(selection_networks(n, m), key=_operations)


def selection_networks(n: int, m: int) -> Iterator[SelectionNetwork]:
    """Build all: which is smallest where only one of the two is needed, is to be seen."""
    return map(_depth_first, _candidates(n, m))


@cache
def middle_network(n: int, m: int) -> SelectionNetwork:
    """Do the same where the two may come in either order: their sum needs no last comparator.

    Examples
    --------
    >>> [middle_network(m // 2, m).operations for m in (4, 8, 16, 32)]
    [6, 26, 80, 234]
    """
    return _depth_first(min(map(_unordered, _candidates(n, m)), key=_operations))


def _operations(network: SelectionNetwork) -> int:
    return network.operations


def _depth_first(network: SelectionNetwork) -> SelectionNetwork:
    """Put each step right before it is needed: fewer values wait at a time, for fewer registers."""
    makers = {made: step for step in network.steps for made in step[2:] if made is not None}
    steps: dict[Step, None] = {}

    def need(value: int) -> None:
        step = makers.get(value)
        if step is not None and step not in steps:
            need(step.first)
            need(step.second)
            steps[step] = None

    need(network.nth)
    need(network.next)
    return network._replace(steps=tuple(steps))


def _candidates(n: int, m: int) -> Iterator[SelectionNetwork]:
    """Cut networks from all that are known, with infinities to some inputs."""
    size = 1 << (m - 1).bit_length()
    for above in range(size - m + 1):
        wires = [PLUS] * above + list(range(m)) + [MINUS] * (size - m - above)
        yield _pruned(merge_sort(size), wires, above + n - 1)
    for middle, width, comparators in _found(n, m, size):
        above = middle - n
        whole = [*comparators, (middle - 1, middle)]
        yield _pruned(whole, _spared(whole, above, width - m - above, middle, width), middle - 1)


def _found(n: int, m: int, size: int) -> Iterator[tuple[int, int, Comparators]]:
    """Give what a search found and can be cut to the pair, of the fewest values.

    Upside down, a network for (n, m) is one for (m - n, m).
    """
    mirrored = {
        (width - middle, width): [(width - 1 - b, width - 1 - a) for a, b in comparators]
        for (middle, width), comparators in MIDDLES.items()
    }
    wide = {
        (middle, width): comparators
        for (middle, width), comparators in (mirrored | MIDDLES).items()
        if 0 <= middle - n <= width - m
    }
    fewest = min((width for _, width in wide), default=size + 1)
    for (middle, width), comparators in wide.items():
        if width == fewest <= size:
            yield middle, width, comparators


def _spared(comparators: Comparators, above: int, below: int, n: int, m: int) -> list[int]:
    """Choose inputs for the infinities, one after the other, each where it spares most."""
    spare: dict[int, int] = {}
    for infinity in [PLUS] * above + [MINUS] * below:
        spare[
            min(
                (wire for wire in range(m) if wire not in spare),
                key=lambda wire: (
                    _pruned(comparators, _wires(spare | {wire: infinity}, m), n - 1).operations
                ),
            )
        ] = infinity
    return _wires(spare, m)


def _wires(spare: dict[int, int], size: int) -> list[int]:
    """Say what each input carries: an infinity, or the next of the values."""
    numbers = iter(range(size))
    return [spare[wire] if wire in spare else next(numbers) for wire in range(size)]


def _pruned(comparators: Comparators, wires: list[int], place: int) -> SelectionNetwork:
    """Keep what the values depend on that end on two neighbouring wires, the first at a place.

    `wires` says which input each wire carries; they are used up.
    """
    wires = list(wires)
    steps: list[Step] = []
    fresh = len(wires)
    for a, b in comparators:
        x, y = wires[a], wires[b]
        if x == PLUS or y == MINUS:
            continue
        if x == MINUS or y == PLUS:
            wires[a], wires[b] = y, x
            continue
        steps.append(Step(x, y, fresh, fresh + 1))
        wires[a], wires[b] = fresh, fresh + 1
        fresh += 2
    nth, following = wires[place], wires[place + 1]
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


def _unordered(network: SelectionNetwork) -> SelectionNetwork:
    """Drop the comparator that does nothing but put the two in order, if there is one."""
    last = [k for k, s in enumerate(network.steps) if (s.larger, s.smaller) == network[1:]]
    if not last:
        return network
    step = network.steps[last[0]]
    steps = network.steps[: last[0]] + network.steps[last[0] + 1 :]
    return SelectionNetwork(steps, step.first, step.second)


def merge_sort(size: int) -> list[tuple[int, int]]:
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
