"""Channels that must stay or go together, and those that must stay.

Every channel of every tensor has a number. Where two tensors are added, their channels are
tied one by one; tied channels are one *atom*: they are removed together or not at all. The
atoms of layers that were tied, or of one layer alone, form a *group*: the filters among
which a sampler chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIXED", "Atoms", "Ids", "Ties"]

Ids = NDArray[np.int64]
"""Numbers of channels."""

FIXED = -1
"""The number of channels that stay in any case: of the input, say."""


@dataclass(frozen=True)
class Atoms:
    """What came of all ties.

    Attributes
    ----------
    of_channel : array of int
        The atom of every channel, FIXED if it stays in any case.
    groups : list of array
        The atoms of each group, in the order of their first channels.
    """

    of_channel: Ids
    groups: list[Ids]

    def of(self, ids: Ids) -> Ids:
        """Return the atoms of channels."""
        found: Ids = np.where(ids == FIXED, FIXED, self.of_channel[ids])
        return found


@dataclass
class Ties:
    """Collects ties while a network is followed.

    Examples
    --------
    >>> ties = Ties()
    >>> first, second = ties.new(2, "conv1"), ties.new(2, "conv2")
    >>> ties.tie(first, second)
    >>> ties.atoms().groups
    [array([0, 1])]
    >>> ties.pin(second[1:])
    >>> ties.atoms().of(first)
    array([ 0, -1])
    """

    makers: list[str] = field(default_factory=list)
    """The layer that makes each channel."""
    _parents: list[int] = field(default_factory=list)
    _blocks: list[int] = field(default_factory=list)
    _block_parents: list[int] = field(default_factory=list)
    _pinned: set[int] = field(default_factory=set)

    def new(self, count: int, maker: str) -> Ids:
        """Give numbers to the channels that a layer makes."""
        start = len(self._parents)
        self._parents += range(start, start + count)
        self._blocks += [len(self._block_parents)] * count
        self._block_parents.append(len(self._block_parents))
        self.makers += [maker] * count
        return np.arange(start, start + count, dtype=np.int64)

    def tie(self, first: Ids, second: Ids) -> None:
        """Tie channels one by one; to what is fixed means to stay."""
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            if FIXED in (a, b):
                self._pinned.update({a, b} - {FIXED})
                continue
            _join(self._parents, a, b)
            _join(self._block_parents, self._blocks[a], self._blocks[b])

    def pin(self, ids: Ids) -> None:
        """Let channels stay in any case, and what they are tied to."""
        self._pinned.update(k for k in ids.tolist() if k != FIXED)

    def made_by(self, ids: Ids) -> list[str]:
        """Name the layers that make channels."""
        return list(dict.fromkeys(self.makers[k] for k in ids.tolist() if k != FIXED))

    def atoms(self) -> Atoms:
        """Settle everything."""
        roots = [_root(self._parents, k) for k in range(len(self._parents))]
        stay = {roots[k] for k in self._pinned}
        numbers: dict[int, int] = {}
        groups: dict[int, list[int]] = {}
        of_channel = np.full(len(roots), FIXED, dtype=np.int64)
        for channel, root in enumerate(roots):
            if root in stay:
                continue
            if root not in numbers:
                numbers[root] = len(numbers)
                block = _root(self._block_parents, self._blocks[channel])
                groups.setdefault(block, []).append(numbers[root])
            of_channel[channel] = numbers[root]
        return Atoms(of_channel, [np.array(g, dtype=np.int64) for g in groups.values()])


def _root(parents: list[int], k: int) -> int:
    while parents[k] != k:
        parents[k] = parents[parents[k]]
        k = parents[k]
    return k


def _join(parents: list[int], a: int, b: int) -> None:
    a, b = _root(parents, a), _root(parents, b)
    parents[max(a, b)] = min(a, b)
