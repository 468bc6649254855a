"""What a network must select right from: zeros and ones, as integers and as words of 64.

By the 0-1 principle, inputs of zeros and ones are enough. Those with n - 1, n and n + 1 ones
are enough of them, because maxima and minima are monotone: below an input with n - 1 ones from
which both outputs are 0 they stay 0, and above one with n + 1 from which both are 1 they stay 1.
A search that never touches the first comparators needs only what these make of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["WORDS", "Comparators", "Inputs", "Words", "layers", "reachable", "sliced"]

WORDS = 16
"""Words of 64 inputs that are looked at together."""

Comparators: TypeAlias = Sequence[tuple[int, int]]
"""Pairs of wires; the larger value goes to the first of a pair."""

Words: TypeAlias = NDArray[np.uint64]


class Group(NamedTuple):
    """Wires that comparators have brought together, and the values they may carry."""

    wires: frozenset[int]
    states: Words


class Inputs(NamedTuple):
    """Blocks of words: bit b of word w on every wire are an input, and what is right for it."""

    wires: Words
    """By block, wire, word."""
    some: Words
    """By block and word: one of the outputs is 1."""
    both: Words
    """Both are."""


def layers(comparators: Comparators) -> Iterator[list[tuple[int, int]]]:
    """Cut comparators into layers, each as early as it can be; wires occur once in a layer."""
    found: list[list[tuple[int, int]]] = []
    depth: dict[int, int] = {}
    for a, b in comparators:
        at = max(depth.get(a, 0), depth.get(b, 0))
        found.extend([] for _ in range(at + 1 - len(found)))
        found[at].append((a, b))
        depth[a] = depth[b] = at + 1
    yield from found


def reachable(comparators: Comparators, n: int, m: int) -> Words:
    """Return what comparators make of inputs with n - 1, n and n + 1 ones: bit j for wire j.

    Examples
    --------
    >>> [f"{state:04b}" for state in reachable([(0, 1), (2, 3), (0, 2), (1, 3)], 2, 4)]
    ['0001', '0011', '0101', '0111']
    """
    of = {j: Group(frozenset({j}), np.array([0, 1 << j], dtype=np.uint64)) for j in range(m)}
    for layer in layers(comparators):
        touched = set()
        for a, b in layer:
            if of[a] is not of[b]:
                group = _joined(of[a], of[b], n, m)
                of |= dict.fromkeys(group.wires, group)
        for a, b in layer:
            group = of[a]._replace(states=_compared(of[a].states, a, b))
            of |= dict.fromkeys(group.wires, group)
            touched.add(group.wires)
        for wires in touched & {group.wires for group in of.values()}:
            group = Group(wires, np.unique(of[min(wires)].states))
            of |= dict.fromkeys(wires, group)
    groups = {group.wires: group for group in of.values()}.values()
    ascending = sorted(groups, key=lambda group: len(group.states))
    whole: Group = reduce(lambda one, other: _joined(one, other, n, m), ascending)
    return whole.states


def _joined(one: Group, other: Group, n: int, m: int) -> Group:
    """Combine all states of two groups but those with too few ones or too many."""
    wires = one.wires | other.wires
    ones = np.add.outer(_ones(one.states, one.wires), _ones(other.states, other.wires))
    i, j = np.nonzero((ones <= n + 1) & (ones >= n - 1 - (m - len(wires))))
    return Group(wires, one.states[i] | other.states[j])


def _compared(states: Words, a: int, b: int) -> Words:
    """Exchange bits a and b where only b is set."""
    moved = (states >> np.uint64(b)) & ~(states >> np.uint64(a)) & np.uint64(1)
    return states ^ (moved << np.uint64(a) | moved << np.uint64(b))


def _ones(states: Words, wires: frozenset[int]) -> NDArray[np.int8]:
    ones = np.zeros(len(states), dtype=np.int8)
    for wire in wires:
        ones += (states >> np.uint64(wire) & np.uint64(1)).astype(np.int8)
    return ones


def sliced(states: Words, n: int, m: int, rng: np.random.Generator) -> Inputs:
    """Deal states out to the bits of words, in random order; the last block repeats some."""
    mixed = np.resize(rng.permutation(states), -(-len(states) // (64 * WORDS)) * 64 * WORDS)

    def words(bits: NDArray[np.bool_]) -> Words:
        return np.packbits(bits.reshape(-1, 64), axis=1, bitorder="little").view("<u8")

    bits = (words((mixed >> np.uint64(j) & np.uint64(1)).astype(bool)) for j in range(m))
    wires = np.stack([word.reshape(-1, WORDS) for word in bits], axis=1)
    ones = _ones(mixed, frozenset(range(m)))
    some, both = (words(ones >= k).reshape(-1, WORDS) for k in (n, n + 1))
    return Inputs(wires, some, both)
