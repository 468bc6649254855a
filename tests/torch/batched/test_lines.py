"""Plain N:M, whose lines are solved exactly by picking, and picks what the CPU's does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import Pattern
from tests.strategies import patterns, scores
from tests.torch.batched.reference import agree


@given(st.data())
def test_same_mask_for_any_matrix(data):
    pattern = data.draw(patterns(max_m=5))
    plain = Pattern(pattern.n, pattern.m, transposable=False, at_most=pattern.at_most)
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 12)))
    weights = data.draw(scores(shape, signed=True))
    assert agree(weights, plain, "exact")
    assert agree(weights, plain, "exact", None)


@pytest.mark.parametrize("pattern", ["1:2", "2:4", "8:16", "16:32", "8:8", "32:64,at-most"])
def test_same_mask_at_every_size(pattern):
    rng = np.random.default_rng(0)
    grid = rng.integers(-3, 4, (40, 70)).astype(np.float32)
    for weights in (rng.standard_normal((40, 70), dtype=np.float32), grid):
        assert agree(weights, pattern + ",plain", "exact")
