"""Operations on 16-bit lanes against Python's integers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from masksolve.kernels.jit import kernel
from masksolve.kernels.narrow import at_least_lanes, average, fraction, narrow, take, widen
from masksolve.kernels.simd import LANES, load, store

words = st.lists(st.integers(0, 2**16 - 1), min_size=LANES, max_size=LANES)
signed = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=LANES, max_size=LANES)
shares = st.integers(0, 2**15 - 1)


@kernel
def operate(a, b, means, rests, parts, mosts):
    """Do everything that takes two."""
    store(means, 0, average(load(a, 0), load(b, 0)))
    store(rests, 0, take(load(a, 0), load(b, 0)))
    store(parts, 0, fraction(load(a, 0), load(b, 0)))
    store(mosts, 0, at_least_lanes(load(a, 0), load(b, 0)))


@kernel
def convert(values, narrowed, widened):
    """Go there and back."""
    store(narrowed, 0, narrow(load(values, 0)))
    store(widened, 0, widen(load(narrowed, 0)))


def operated(a, b):
    a, b = (np.array(x).astype(np.uint16).view(np.int16) for x in (a, b))
    out = [np.empty(LANES, np.int16) for _ in range(4)]
    operate(a, b, *out)
    return out


@given(words, words)
def test_unsigned_operations(a, b):
    means, rests, _, mosts = (x.view(np.uint16).tolist() for x in operated(a, b))
    assert means == [(x + y + 1) // 2 for x, y in zip(a, b, strict=True)]
    assert rests == [max(x - y, 0) for x, y in zip(a, b, strict=True)]
    assert mosts == [max(x, y) for x, y in zip(a, b, strict=True)]


@given(signed, shares)
def test_fractions_are_rounded_to_nearest(a, share):
    parts = operated(a, [share] * LANES)[2].tolist()
    assert parts == [(x * share + 2**14) >> 15 for x in a]


@given(st.lists(st.floats(-(2.0**21), 2.0**21, width=32), min_size=LANES, max_size=LANES))
def test_narrow_rounds_and_saturates(values):
    narrowed, widened = np.empty(LANES, np.int16), np.empty(LANES, np.float32)
    convert(np.array(values, np.float32), narrowed, widened)
    wanted = [min(max(round(x) + 2**15, 0), 2**16 - 1) for x in values]
    assert narrowed.view(np.uint16).tolist() == wanted
    assert widened.tolist() == wanted
