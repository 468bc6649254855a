"""Greedy and two_approx, batched, keep what the CPU's walks do, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import patterns, problems, scores
from tests.torch.batched.reference import agree

both = pytest.mark.parametrize("method", ["greedy", "two_approx"])


@both
@given(problem=problems(max_m=6))
def test_same_mask_for_any_tile(problem, method):
    tile, pattern = problem
    assert agree(tile, pattern, method, None)


@both
@given(data=st.data())
def test_same_mask_for_any_matrix(data, method):
    pattern = data.draw(patterns(max_m=5))
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    assert agree(data.draw(scores(shape, signed=True)), pattern, method)


@both
@pytest.mark.parametrize("pattern", ["1:2", "2:3", "3:5", "4:8", "5:10", "8:16", "16:32"])
@pytest.mark.parametrize("kind", ["", ",at-most"])
def test_same_mask_at_every_size(pattern, kind, method):
    rng = np.random.default_rng(0)
    grid = rng.integers(-3, 4, (40, 70)).astype(np.float32)
    for weights in (rng.standard_normal((40, 70), dtype=np.float32), grid):
        assert agree(weights, pattern + kind, method)
        assert agree(weights, pattern + kind, method, None)
