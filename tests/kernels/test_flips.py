"""Places where masks differ, against NumPy's comparison."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from masksolve.kernels.flips import list_flips


@given(st.integers(0, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_places_are_those_of_a_comparison(words, share, seed):
    rng = np.random.default_rng(seed)
    old = rng.random(8 * words) < 0.5
    new = old ^ (rng.random(8 * words) < share)
    places = np.zeros(8 * words, dtype=np.uint32)
    count = list_flips(old.view(np.uint64), new.view(np.uint64), places)
    np.testing.assert_array_equal(places[:count], np.flatnonzero(old != new))
