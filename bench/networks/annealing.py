"""Comparators changed at random, as long as no input is selected wrongly.

A change that makes the network dearer is taken now and then, the less often the colder it is.
Inputs that many changes got wrong are kept in a block of their own, which is tried first.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

from .inputs import WORDS

__all__ = ["anneal", "operations", "wrong_block"]

CHANGES = 7
MARGIN = 4
"""Operations by which the search may stray above the best."""


@kernel
def operations(pairs, count, outputs, kinds):  # type: ignore[no-untyped-def]
    """Count what the outputs depend on; kinds: 1, the larger is needed, 2, the smaller, 3, both."""
    one = np.uint64(1)
    needed = one << np.uint64(outputs[0]) | one << np.uint64(outputs[1])
    total = 0
    for k in range(count - 1, -1, -1):
        a, b = np.uint64(pairs[k, 0]), np.uint64(pairs[k, 1])
        kinds[k] = needed >> a & one | (needed >> b & one) << one
        if kinds[k]:
            total += 2 if kinds[k] == 3 else 1
            needed |= one << a | one << b
    return total


@kernel
def wrong_block(inputs, pairs, fixed, count, outputs, kinds, values, wrong):  # type: ignore[no-untyped-def]
    """Find the first block with an input from which the outputs are wrong, or -1; say which.

    Inputs are what the fixed comparators have made.
    """
    p, q = outputs
    for block in range(len(inputs.wires)):
        values[:] = inputs.wires[block]
        for k in range(fixed, count):
            a, b = pairs[k]
            if kinds[k] == 3:
                for w in range(WORDS):
                    x, y = values[a, w], values[b, w]
                    values[a, w] = x | y
                    values[b, w] = x & y
            elif kinds[k] == 1:
                for w in range(WORDS):
                    values[a, w] |= values[b, w]
            elif kinds[k] == 2:
                for w in range(WORDS):
                    values[b, w] &= values[a, w]
        found = np.uint64(0)
        for w in range(WORDS):
            some, both = values[p, w] | values[q, w], values[p, w] & values[q, w]
            wrong[w] = (some ^ inputs.some[block, w]) | (both ^ inputs.both[block, w])
            found |= wrong[w]
        if found:
            return block
    return -1


@kernel
def learn(inputs, block, wrong, hard, place):  # type: ignore[no-untyped-def]
    """Write the first wrong input of a block to a place among the hard ones."""
    one = np.uint64(1)
    w = 0
    while not wrong[w]:
        w += 1
    bit = np.uint64(0)
    while not wrong[w] >> bit & one:
        bit += one
    word, to = place // 64 % WORDS, np.uint64(place % 64)
    for j in range(inputs.wires.shape[1]):
        new = (inputs.wires[block, j, w] >> bit & one) << to
        hard.wires[0, j, word] = hard.wires[0, j, word] & ~(one << to) | new
    new = (inputs.some[block, w] >> bit & one) << to
    hard.some[0, word] = hard.some[0, word] & ~(one << to) | new
    new = (inputs.both[block, w] >> bit & one) << to
    hard.both[0, word] = hard.both[0, word] & ~(one << to) | new


@kernel
def move(pairs, k, j):  # type: ignore[no-untyped-def]
    """Put the k-th comparator in the j-th place; those between move up."""
    a, b = pairs[k]
    step = 1 if j > k else -1
    for i in range(k, j, step):
        pairs[i, 0], pairs[i, 1] = pairs[i + step]
    pairs[j, 0], pairs[j, 1] = a, b


@kernel
def change(rng, pairs, count, outputs, fixed, m):  # type: ignore[no-untyped-def]
    """Change comparators behind the fixed ones at random; return how many there are."""
    kind = rng.integers(0, CHANGES) if count > fixed else 1
    end = max(count, fixed + 1)
    k, j = rng.integers(fixed, end), rng.integers(fixed, end)
    side = rng.integers(0, 2)
    a, b = rng.integers(0, m), rng.integers(0, m - 1)
    b += b >= a
    if kind == 0:  # drop one
        move(pairs, k, count - 1)
        return count - 1
    if kind == 1 and count < len(pairs):  # put one in
        pairs[count, 0], pairs[count, 1] = a, b
        move(pairs, count, k)
        return count + 1
    if kind == 2:  # another in its place
        pairs[k, 0], pairs[k, 1] = a, b
    elif kind == 3 and pairs[k, 1 - side] != a:  # another wire
        pairs[k, side] = a
    elif kind == 4:  # another place
        move(pairs, k, j)
    elif kind == 5 and pairs[k, 0] != pairs[j, 1 - side] and pairs[j, side] != pairs[k, 1]:
        pairs[k, 0], pairs[j, side] = pairs[j, side], pairs[k, 0]  # exchange wires of two
    elif kind == 6:  # exchange two wires from here to the end
        for i in range(k, count):
            for s in range(2):
                pairs[i, s] = b if pairs[i, s] == a else a if pairs[i, s] == b else pairs[i, s]
        for s in range(2):
            outputs[s] = b if outputs[s] == a else a if outputs[s] == b else outputs[s]
    return count


@kernel
def without_idle(pairs, count, kinds, fixed):  # type: ignore[no-untyped-def]
    """Drop comparators that nothing depends on; return how many are left."""
    left = fixed
    for k in range(fixed, count):
        if kinds[k]:
            pairs[left] = pairs[k]
            left += 1
    return left


@kernel
def anneal(inputs, hard, pairs, count, outputs, fixed, tries, heat, more, rng):  # type: ignore[no-untyped-def]
    """Try changes, and leave the network that costs least in `pairs` and `outputs`.

    Several changes are made at once, one more with probability `more` each time. Comparators
    must be right for the inputs at the start. Returns how many comparators and operations the
    best has.
    """
    m = inputs.wires.shape[1]
    values, wrong = np.empty((m, WORDS), dtype=np.uint64), np.empty(WORDS, dtype=np.uint64)
    kinds = np.empty(len(pairs), dtype=np.uint8)
    cost = least = operations(pairs, count, outputs, kinds)
    now, ends = pairs.copy(), outputs.copy()
    trial, trial_ends = pairs.copy(), outputs.copy()
    size = without_idle(now, count, kinds, fixed)
    learnt = 0
    for _ in range(tries):
        trial[fixed:size], trial_ends[:] = now[fixed:size], ends
        changed = change(rng, trial, size, trial_ends, fixed, m)
        while rng.random() < more:
            changed = change(rng, trial, changed, trial_ends, fixed, m)
        new = operations(trial, changed, trial_ends, kinds)
        if new > cost and (new > least + MARGIN or heat * rng.exponential() <= new - cost):
            continue
        if wrong_block(hard, trial, fixed, changed, trial_ends, kinds, values, wrong) >= 0:
            continue
        block = wrong_block(inputs, trial, fixed, changed, trial_ends, kinds, values, wrong)
        if block >= 0:
            learn(inputs, block, wrong, hard, learnt)
            learnt += 1
            continue
        cost, size = new, changed
        if cost < least or size == len(pairs):
            size = without_idle(trial, size, kinds, fixed)
        now[:], ends[:] = trial, trial_ends
        if cost < least:
            least, count = cost, size
            pairs[:], outputs[:] = now, ends
    return count, least
