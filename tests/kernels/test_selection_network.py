"""Networks select, by the 0-1 principle: a network of maxima and minima that selects right from
every input of zeros and ones does so from every input."""

import numpy as np
import pytest
from numba import njit

from masksolve.kernels import selection_network as networks
from masksolve.kernels.middles import MIDDLES
from masksolve.kernels.selection_network import middle_network, selection_network

WORDS = 64
"""Words of 64 inputs that are looked at together."""


@njit(nogil=True)
def wrong_words(m, steps, nth, following, n, first, last):
    """Count words of inputs, each a number's bits, from which two outputs are not right.

    Steps are (first, second, larger, smaller), -1: not made. The two may come in either order:
    it is their sum that must be right.
    """
    values = np.zeros((steps.max() + 1, WORDS), dtype=np.uint64)
    low = np.zeros(6, dtype=np.uint64)
    numbers = np.uint64(0)
    at_least = np.zeros(9, dtype=np.uint64)  # the numbers below 64 with k bits or more
    for number in range(min(64, 1 << m)):
        numbers |= np.uint64(1) << np.uint64(number)
        bits = 0
        for j in range(6):
            if number >> j & 1:
                bits += 1
                low[j] |= np.uint64(1) << np.uint64(number)
        for k in range(bits + 1):
            at_least[k] |= np.uint64(1) << np.uint64(number)
    wrong = 0
    for block in range(first, last, WORDS):
        for w in range(WORDS):
            for j in range(m):
                values[j, w] = low[j] if j < 6 else np.uint64(0) - np.uint64(block + w >> j - 6 & 1)
        for a, b, larger, smaller in steps:
            if larger >= 0:
                for w in range(WORDS):
                    values[larger, w] = values[a, w] | values[b, w]
            if smaller >= 0:
                for w in range(WORDS):
                    values[smaller, w] = values[a, w] & values[b, w]
        for w in range(min(WORDS, last - block)):
            high, bits = block + w, 0
            while high:
                high &= high - 1
                bits += 1
            one, two = values[nth, w], values[following, w]
            more = at_least[min(max(n - bits, 0), 8)]
            both = at_least[min(max(n + 1 - bits, 0), 8)]
            wrong += ((one | two) & numbers) != more or (one & two & numbers) != both
    return wrong


def wrong_inputs(network, n, m):
    """Count wrong words among all inputs of m zeros and ones."""
    steps = np.array(
        [[-1 if wire is None else wire for wire in step] for step in network.steps]
    ).reshape(-1, 4)
    if not len(steps):  # nothing to compare
        steps = np.array([[0, m - 1, -1, -1]])
    return wrong_words(m, steps, network.nth, network.next, n, 0, 1 << max(0, m - 6))


@pytest.mark.parametrize("m", range(2, 23))
def test_every_input_of_zeros_and_ones(m):
    for n in {1, m // 2, (m + 1) // 2, m - 1} | ({*range(1, m)} if m <= 12 else set()):
        for network in (selection_network(n, m), middle_network(n, m)):
            assert wrong_inputs(network, n, m) == 0, n


@pytest.mark.parametrize(("n", "m"), [(n, m) for n, m in MIDDLES if 22 < m <= 32 and n == m // 2])
def test_networks_that_a_search_found_on_up_to_four_thousand_million_inputs(n, m):
    assert wrong_inputs(middle_network(n, m), n, m) == 0


def test_a_network_without_one_of_its_steps_is_found_wrong():
    network = middle_network(8, 16)
    for k in range(0, len(network.steps), 5):
        step = network.steps[k]
        swapped = step._replace(larger=step.smaller, smaller=step.larger)
        steps = (*network.steps[:k], swapped, *network.steps[k + 1 :])
        if step.larger is not None and step.smaller is not None:
            assert wrong_inputs(network._replace(steps=steps), 8, 16)


@pytest.mark.parametrize(
    ("n", "m"), [(1, 2), (2, 4), (7, 8), (1, 13), (12, 24), (15, 31), (31, 64)]
)
def test_numbers(n, m):
    ordered, either = selection_network(n, m), middle_network(n, m)
    for values in np.random.default_rng(0).integers(0, 9, (200, m)).tolist():
        order = sorted(values, reverse=True)
        assert outputs(ordered, values) == (order[n - 1], order[n])
        assert sorted(outputs(either, values)) == [order[n], order[n - 1]]


def outputs(network, values):
    wires = dict(enumerate(values))
    for a, b, larger, smaller in network.steps:
        if larger is not None:
            wires[larger] = max(wires[a], wires[b])
        if smaller is not None:
            wires[smaller] = min(wires[a], wires[b])
    return wires[network.nth], wires[network.next]


def test_networks_are_small():
    assert [middle_network(m // 2, m).operations for m in (2, 4, 8, 16)] == [0, 6, 26, 80]
    for m in (*range(2, 34), 48, 63, 64):
        ordered, either = (make(m // 2, m) for make in (selection_network, middle_network))
        assert either.operations < ordered.operations <= 13 * m


def test_what_a_search_found_is_worth_keeping(monkeypatch):
    found = {pattern: middle_network(*pattern).operations for pattern in MIDDLES}
    assert found == {(n, m): middle_network(m - n, m).operations for n, m in MIDDLES}
    monkeypatch.setattr(networks, "MIDDLES", {})
    for pattern, operations in found.items():
        assert operations < middle_network.__wrapped__(*pattern).operations, pattern
