import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from masksolve.torch.filters.ties import FIXED, Ties


@given(st.data())
def test_ties_are_those_of_a_graph(data):
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    ties = Ties()
    blocks = [ties.new(count, str(k)) for k, count in enumerate(counts)]
    channels = int(sum(counts))
    channel = st.integers(0, channels - 1)
    edges = data.draw(st.lists(st.tuples(channel, channel), max_size=2 * channels))
    pinned = data.draw(st.lists(channel, max_size=2))
    for a, b in edges:
        ties.tie(np.array([a]), np.array([b]))
    ties.pin(np.array(pinned, dtype=np.int64))
    atoms = ties.atoms()

    def closure(start, pairs):
        seen = {start}
        while True:
            more = {x for a, b in pairs for x in (a, b) if (a in seen) or (b in seen)}
            if more <= seen:
                return seen
            seen |= more

    block_of = np.repeat(np.arange(len(counts)), counts)
    block_edges = [(block_of[a], block_of[b]) for a, b in edges]
    group_of = {int(a): k for k, group in enumerate(atoms.groups) for a in group}
    for a in range(channels):
        tied = closure(a, edges)
        assert (atoms.of_channel[a] == FIXED) == bool(tied & set(pinned))
        for b in range(channels):
            if FIXED in atoms.of_channel[[a, b]]:
                continue
            assert (atoms.of_channel[a] == atoms.of_channel[b]) == (b in tied)
            together = block_of[b] in closure(block_of[a], block_edges)
            same = group_of[atoms.of_channel[a]] == group_of[atoms.of_channel[b]]
            assert same == together
    makers = [maker for block in blocks for maker in ties.made_by(block)]
    assert makers == [str(k) for k in range(len(counts))]


def test_what_is_tied_to_the_fixed_stays():
    ties = Ties()
    one, two = ties.new(3, "one"), ties.new(3, "two")
    ties.tie(one, np.array([FIXED, 5, FIXED]))
    atoms = ties.atoms()
    assert atoms.of(one).tolist() == [FIXED, 0, FIXED]
    assert atoms.of(two).tolist() == [1, 2, 0]
    assert [group.tolist() for group in atoms.groups] == [[0, 1, 2]]
