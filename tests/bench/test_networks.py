"""The search for networks: what it looks through, what it finds, and that it finds it again."""

import ast
import itertools
import re

import numpy as np
import pytest

from masksolve.bench.networks import __main__ as command
from masksolve.bench.networks import search
from masksolve.bench.networks.inputs import WORDS, layers, reachable, sliced
from masksolve.kernels.middles import MIDDLES

CROSSED = [(3, 0), (1, 4), (4, 2), (0, 1), (2, 5), (5, 3)]
"""Some send the larger to the wire below: done twice, they change more than done once."""


def run(comparators, values):
    values = list(values)
    for a, b in comparators:
        values[a], values[b] = max(values[a], values[b]), min(values[a], values[b])
    return values


def right(comparators, outputs, n, m):
    """Look at all inputs of zeros and ones, one by one."""
    for bits in itertools.product((0, 1), repeat=m):
        values = run(comparators, bits)
        if sum(values[j] for j in outputs) != (sum(bits) >= n) + (sum(bits) > n):
            return False
    return True


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(search, "TRIES", 2000)


@pytest.mark.parametrize("count", range(len(CROSSED) + 1))
def test_what_the_first_comparators_make_of_inputs(count):
    made = {
        sum(bit << j for j, bit in enumerate(run(CROSSED[:count], bits)))
        for bits in itertools.product((0, 1), repeat=6)
        if 1 <= sum(bits) <= 3
    }
    assert sorted(reachable(CROSSED[:count], 2, 6).tolist()) == sorted(made)


def test_layers_are_as_early_as_they_can_be():
    assert list(layers([(0, 1), (1, 2), (3, 4), (0, 4)])) == [[(0, 1), (3, 4)], [(1, 2), (0, 4)]]


def test_words_hold_every_state_and_what_is_right_for_it():
    states = reachable([(0, 1)], 5, 12)
    wires, some, both = sliced(states, 5, 12, np.random.default_rng(0))
    assert wires.shape == (-(-len(states) // (64 * WORDS)), 12, WORDS)
    bits = np.unpackbits(wires.view(np.uint8).reshape(len(wires), 12, -1), axis=2)
    held = {tuple(column) for block in bits for column in block.T}
    assert len(held) == len(set(states.tolist())) == len(states)
    ones = bits.sum(axis=1)
    for words, least in ((some, 5), (both, 6)):
        assert (np.unpackbits(words.view(np.uint8), axis=1) == (ones >= least)).all()


@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 5), (4, 8), (3, 9)])
def test_a_network_is_right_whichever_comparators_are_gone_through_first(n, m):
    network = search.known(n, m)
    comparators, outputs = network[:2]
    assert right(comparators, outputs, n, m)
    for k in range(len(comparators)):
        assert search.is_right(network, n, m, k)
        fewer = (*comparators[:k], *comparators[k + 1 :])
        found = search.is_right(network._replace(comparators=fewer), n, m, k)
        assert found == right(fewer, outputs, n, m)


@pytest.mark.parametrize(("n", "m"), [pattern for pattern in MIDDLES if pattern[1] > 12])
def test_what_the_package_keeps_behind_cubes_is_right(n, m):
    """Too many inputs to try, but of what the cubes leave, few."""
    network = search.Found(MIDDLES[n, m], (n - 1, n), 0)
    assert search.is_right(network, n, m, len(search.cubes(m, search.fewest_layers(m))))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("n", "m", "least"), [(1, 4, 6), (3, 6, 16), (5, 7, 17)])
def test_it_finds_small_networks_from_batchers(n, m, least):
    start = search.batcher(n, m)
    found = list(itertools.islice(search.rounds(n, m, 0, start), 12))
    assert start.operations > found[-1].operations == least
    for comparators, outputs, operations in found:
        assert operations == search.count(comparators, outputs)
        assert right(comparators, outputs, n, m)


@pytest.mark.usefixtures("quick")
def test_gains_are_tried_on_all_inputs(monkeypatch):
    monkeypatch.setattr(search, "BLOCKS", 0)  # at first on none
    for found in itertools.islice(search.rounds(5, 12, 1, search.batcher(5, 12)), 3):
        assert search.is_right(found, 5, 12)


@pytest.mark.usefixtures("quick")
def test_the_same_seed_finds_the_same():
    found = [
        list(itertools.islice(search.rounds(4, 9, seed, search.batcher(4, 9)), 4))
        for seed in (3, 3, 4)
    ]
    assert found[0] == found[1] != found[2]


def command_says(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["networks", *arguments])
    command.main()
    return capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_the_command_prints_what_it_found(monkeypatch, capsys):
    batcher = search.batcher(3, 7)
    monkeypatch.setattr(command, "known", lambda n, m: batcher)
    first, progress, *rest = command_says(
        monkeypatch, capsys, "7", "--minutes", "0.01"
    ).splitlines()
    assert first == f"3:7 in {batcher.operations} maxima and minima"
    assert re.fullmatch(r"round 1, \d+ s: \d\d", progress)
    ((pattern, text),) = ast.literal_eval("{" + rest[-1] + "}").items()
    assert pattern == (3, 7)
    assert right([tuple(map(int, pair.split(":"))) for pair in text.split()], (2, 3), 3, 7)


def test_what_is_printed_is_what_the_package_keeps():
    for (n, m), comparators in MIDDLES.items():
        text = command.written(n, m, search.Found(comparators, (n - 1, n), 0))
        assert max(map(len, text.splitlines())) <= 100
        ((pattern, kept),) = ast.literal_eval("{" + text + "}").items()
        assert (pattern, kept.split()) == ((n, m), [f"{a}:{b}" for a, b in comparators])


@pytest.mark.parametrize("arguments", [("2",), ("65",), ("8", "8"), ("8", "-1"), ("8", "0")])
def test_it_refuses_what_is_no_pair(monkeypatch, capsys, arguments):
    with pytest.raises(SystemExit):
        command_says(monkeypatch, capsys, *arguments)
    assert "error: expected 3 <= m <= 64 and 1 <= n < m, got" in capsys.readouterr().err
