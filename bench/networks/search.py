"""Rounds of annealing from several starts: endless, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.selection_network import SelectionNetwork, merge_sort, middle_network

from .annealing import anneal, operations, wrong_block
from .inputs import WORDS, Comparators, Inputs, layers, reachable, sliced

__all__ = ["Found", "batcher", "count", "is_right", "known", "rounds"]

TRIES = 50_000
"""Changes between two looks at whether there was a gain."""
PATIENCE = 30
"""Looks without a gain that end a round."""
AGAIN = 0.4
"""How often a round starts from the best so far."""
HEATS = (0.0, 0.2, 0.35)
MORE = (0.2, 0.35, 0.5)
BLOCKS = 32
"""Blocks of inputs on which changes are tried at first; all, if there are no more."""
SPARE = 8
"""Comparators by which a network may grow."""


class Found(NamedTuple):
    """Comparators after which the n-th and (n+1)-th are on wires n - 1 and n, either way."""

    comparators: Comparators
    operations: int


def known(n: int, m: int) -> Found:
    """Return the package's network.

    Examples
    --------
    >>> known(2, 4)
    Found(comparators=((0, 1), (2, 3), (0, 2), (1, 3)), operations=6)
    """
    network = middle_network(n, m)
    return Found(_on_wires(network, n, m), network.operations)


def batcher(n: int, m: int) -> Found:
    """Return Batcher's network, whatever the package has."""
    comparators = tuple((a, b) for a, b in merge_sort(1 << (m - 1).bit_length()) if b < m)
    return Found(comparators, count(comparators, n))


def count(comparators: Comparators, n: int) -> int:
    """Count the maxima and minima that the outputs depend on."""
    pairs = np.array(comparators).reshape(-1, 2)
    kinds = np.empty(len(pairs), dtype=np.uint8)
    return int(operations(pairs, len(pairs), np.array([n - 1, n]), kinds))


def is_right(comparators: Comparators, n: int, m: int, fixed: int = 0) -> bool:
    """Tell whether a network is right from whatever its first comparators can make."""
    inputs = sliced(reachable(comparators[:fixed], n, m), n, m, np.random.default_rng(0))
    return _wrong(inputs, np.array(comparators), fixed, np.array([n - 1, n])) < 0


def rounds(n: int, m: int, seed: int, best: Found) -> Iterator[Found]:
    """Search on and on; give the best so far after every round.

    What is given is right from all inputs: no change is taken that is wrong from any.
    """
    rng = np.random.default_rng(seed)
    while True:
        comparators, fixed = _start(n, m, rng, best)
        found = _round(n, m, rng, comparators, fixed)
        if found.operations < best.operations:
            best = found
        yield best


def _start(n: int, m: int, rng: np.random.Generator, best: Found) -> tuple[Comparators, int]:
    """Choose comparators to start from, and how many of the first stay as they are.

    The larger m, the more must stay: with few, too many inputs would have to be tried.
    """
    least = 1 + sum(m > limit for limit in (16, 24, 32, 48))
    depth = least + int(rng.integers(4))
    if rng.random() < AGAIN:
        found = list(layers(best.comparators))
        depth = min(depth, len(found) - 1)
        return [pair for layer in found for pair in layer], sum(map(len, found[:depth]))
    cubes = [
        (i, i + (1 << d))
        for d in range(min(depth, (m - 1).bit_length()))
        for i in range(m - (1 << d))
        if not i >> d & 1
    ]
    return [*cubes, *batcher(n, m).comparators], len(cubes)


def _round(n: int, m: int, rng: np.random.Generator, comparators: Comparators, fixed: int) -> Found:
    """Anneal until patience runs out.

    Changes are tried on some blocks of inputs, a gain on all; a block on which it is none joins
    those that are tried.
    """
    every = sliced(reachable(comparators[:fixed], n, m), n, m, rng)
    tried = Inputs(*(part[:BLOCKS] for part in every))
    hard = Inputs(*(part[:1].copy() for part in every))
    pairs = np.zeros((len(comparators) + SPARE, 2), dtype=np.int64)
    pairs[: len(comparators)] = comparators
    size, outputs = len(comparators), np.array([n - 1, n])
    if _wrong(every, pairs[:size], fixed, outputs) >= 0:
        raise AssertionError(f"a start for {n}:{m} is wrong")
    heat, more = rng.choice(HEATS), rng.choice(MORE)
    least, waited = count(comparators, n), 0
    while waited < PATIENCE:
        now, ends = pairs.copy(), outputs.copy()
        left, cost = anneal(tried, hard, now, size, ends, fixed, TRIES, heat, more, rng)
        waited += 1
        if cost < least and (block := _wrong(every, now[:left], fixed, ends)) >= 0:
            pieces = zip(tried, every, strict=True)
            tried = Inputs(*(np.append(one, all_[block, None], 0) for one, all_ in pieces))
        elif cost < least:
            pairs, size, outputs, least, waited = now, left, ends, cost, 0
    return Found(_relabelled(pairs[:size].tolist(), outputs.tolist(), n, m), least)


def _wrong(inputs: Inputs, pairs: NDArray[np.int64], fixed: int, outputs: NDArray[np.int64]) -> int:
    """Find a block with an input from which a network is wrong, or -1."""
    kinds = np.full(len(pairs), 3, dtype=np.uint8)
    values = np.empty((inputs.wires.shape[1], WORDS), dtype=np.uint64)
    wrong = np.empty(WORDS, dtype=np.uint64)
    return int(wrong_block(inputs, pairs, fixed, len(pairs), outputs, kinds, values, wrong))


def _on_wires(network: SelectionNetwork, n: int, m: int) -> Comparators:
    """Write a network's steps as comparators: results lie where what was compared has lain."""
    wire: dict[int | None, int] = {j: j for j in range(m)}
    pairs = []
    for x, y, larger, smaller in network.steps:
        pairs.append((wire[x], wire[y]))
        wire |= {larger: wire[x], smaller: wire[y]}
    return _relabelled(pairs, [wire[network.nth], wire[network.next]], n, m)


def _relabelled(pairs: Comparators, outputs: list[int], n: int, m: int) -> Comparators:
    """Give wires other names, so that the outputs are n - 1 and n."""
    names = dict(zip(outputs, (n - 1, n), strict=True))
    rest = (j for j in range(m) if j not in (n - 1, n))
    names |= {j: next(rest) for j in range(m) if j not in outputs}
    return tuple((names[a], names[b]) for a, b in pairs)
