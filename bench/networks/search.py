"""Rounds of annealing from several starts: endless, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.kernels.selection_network import merge_sort, middle_network

from .annealing import anneal, operations, wrong_block
from .inputs import WORDS, Comparators, Inputs, reachable, sliced

__all__ = ["Found", "batcher", "count", "cubes", "fewest_layers", "is_right", "known", "rounds"]

TRIES = 50_000
"""Changes between two looks at whether there was a gain."""
PATIENCE = 30
"""Looks without a gain that end a round."""
AGAIN = 0.4
"""How often a round starts from the best so far."""
HEATS = (0.0, 0.2, 0.35)
MORE = (0.2, 0.35, 0.5)
BLOCKS = 8
"""Blocks of inputs on which changes are tried at first; all, if there are no more."""
SPARE = 8
"""Comparators by which a network may grow."""


class Found(NamedTuple):
    """Comparators after which the n-th and (n+1)-th are on two wires, either way."""

    comparators: Comparators
    outputs: tuple[int, int]
    operations: int


def known(n: int, m: int) -> Found:
    """Return the package's network.

    Examples
    --------
    >>> known(2, 4)
    Found(comparators=((0, 2), (1, 3), (0, 1), (2, 3)), outputs=(1, 2), operations=6)
    """
    network = middle_network(n, m)
    wire: dict[int | None, int] = {j: j for j in range(m)}
    pairs = []
    for x, y, larger, smaller in network.steps:
        pairs.append((wire[x], wire[y]))
        wire |= {larger: wire[x], smaller: wire[y]}
    return Found(tuple(pairs), (wire[network.nth], wire[network.next]), network.operations)


def batcher(n: int, m: int) -> Found:
    """Return Batcher's, whatever the package has, without a last comparator of the two."""
    found = [(a, b) for a, b in merge_sort(1 << (m - 1).bit_length()) if b < m]
    last = max(k for k, pair in enumerate(found) if {n - 1, n} & {*pair})
    if found[last] == (n - 1, n):
        del found[last]
    return Found(tuple(found), (n - 1, n), count(found, (n - 1, n)))


def count(comparators: Comparators, outputs: tuple[int, int]) -> int:
    """Count the maxima and minima that the outputs depend on."""
    pairs = np.array(comparators).reshape(-1, 2)
    kinds = np.empty(len(pairs), dtype=np.uint8)
    return int(operations(pairs, len(pairs), np.array(outputs), kinds))


def is_right(network: Found, n: int, m: int, fixed: int = 0) -> bool:
    """Tell whether a network is right from whatever its first comparators can make."""
    pairs, outputs = np.array(network.comparators), np.array(network.outputs)
    states = reachable(network.comparators[:fixed], n, m)
    inputs = sliced(states, n, m, np.random.default_rng(0))
    return _wrong(inputs, pairs, fixed, outputs) < 0


def cubes(m: int, depth: int) -> Comparators:
    """Compare along the edges of hypercubes, a dimension in each layer.

    Few states are left: of 2^32 for m = 32, layer by layer, 3^16, 6^8, 20^4, 168^2 and 7581.
    """
    return tuple(
        (i, i + (1 << d))
        for d in range(min(depth, (m - 1).bit_length()))
        for i in range(m - (1 << d))
        if not i >> d & 1
    )


def fewest_layers(m: int) -> int:
    """Say how many layers of cubes leave few enough states to look through."""
    return 1 + sum(m > limit for limit in (16, 24, 32, 48))


def rounds(n: int, m: int, seed: int, best: Found) -> Iterator[Found]:
    """Search on and on; give the best so far after every round.

    Rounds start from it or from Batcher's, behind some layers of cubes that stay as they are:
    the larger m, the more, as all that they leave is looked through. What is given is right
    from all inputs: no change is taken that is wrong from any.
    """
    rng = np.random.default_rng(seed)
    while True:
        first = cubes(m, fewest_layers(m) + int(rng.integers(4)))
        start = best if rng.random() < AGAIN else batcher(n, m)
        if start.comparators[: len(first)] != first:
            start = start._replace(comparators=(*first, *start.comparators))
        found = _round(n, m, rng, start, len(first))
        if found.operations < best.operations:
            best = found
        yield best


def _round(n: int, m: int, rng: np.random.Generator, start: Found, fixed: int) -> Found:
    """Anneal until patience runs out.

    Changes are tried on some blocks of inputs, a gain on all; a block on which it is none joins
    those that are tried.
    """
    size = len(start.comparators)
    pairs, outputs = np.zeros((size + SPARE, 2), dtype=np.int64), np.array(start.outputs)
    pairs[:size] = start.comparators
    every = sliced(reachable(start.comparators[:fixed], n, m), n, m, rng)
    tried = Inputs(*(part[:BLOCKS] for part in every))
    hard = Inputs(*(part[:1].copy() for part in every))
    if _wrong(every, pairs[:size], fixed, outputs) >= 0:
        raise AssertionError(f"a start for {n}:{m} is wrong")
    heat, more = rng.choice(HEATS), rng.choice(MORE)
    least, waited = count(start.comparators, start.outputs), 0
    while waited < PATIENCE:
        now, ends = pairs.copy(), outputs.copy()
        left, cost = anneal(tried, hard, now, size, ends, fixed, TRIES, heat, more, rng)
        waited += 1
        if cost < least and (block := _wrong(every, now[:left], fixed, ends)) >= 0:
            pieces = zip(tried, every, strict=True)
            tried = Inputs(*(np.append(one, all_[block, None], 0) for one, all_ in pieces))
        elif cost < least:
            pairs, size, outputs, least, waited = now, left, ends, cost, 0
    comparators = tuple((int(a), int(b)) for a, b in pairs[:size])
    return Found(comparators, (int(outputs[0]), int(outputs[1])), least)


def _wrong(inputs: Inputs, pairs: NDArray[np.int64], fixed: int, outputs: NDArray[np.int64]) -> int:
    """Find a block with an input from which a network is wrong, or -1."""
    kinds = np.full(len(pairs), 3, dtype=np.uint8)
    values = np.empty((inputs.wires.shape[1], WORDS), dtype=np.uint64)
    wrong = np.empty(WORDS, dtype=np.uint64)
    return int(wrong_block(inputs, pairs, fixed, len(pairs), outputs, kinds, values, wrong))
