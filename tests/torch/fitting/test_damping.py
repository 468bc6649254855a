"""The search for a damping, and the outputs that it is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.torch.fitting.damping import OUTPUTS, best_of, sample_of

GRID = (1, 2, 3, 4, 5)


@pytest.mark.parametrize("best", GRID)
@pytest.mark.parametrize("first", GRID)
def test_the_best_is_found_from_anywhere(best, first):
    tried = []

    def error(damping):
        tried.append(damping)
        return abs(damping - best)

    assert best_of(GRID, first, error) == best
    assert len(set(tried)) == len(tried)


@given(
    outputs=st.lists(st.integers(1, 300), min_size=1, max_size=4), m=st.sampled_from([4, 8, 16, 64])
)
def test_outputs_come_in_whole_tiles(outputs, m):
    found = sample_of(outputs, m)
    for count, some in zip(outputs, found, strict=True):
        assert sorted(set(some.tolist())) == some.tolist()
        tiles = {k // m for k in some.tolist()}
        assert some.tolist() == [k for k in range(count) if k // m in tiles]
        assert len(tiles) >= 1
    assert sum(map(len, found)) <= OUTPUTS + m * len(outputs)
