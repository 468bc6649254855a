"""Lines in lanes: what is read comes back, and networks find the n-th largest."""

import ctypes
from itertools import product

import numpy as np
import pytest
from numba import types

from masksolve.kernels.jit import callback
from masksolve.kernels.lines import load_lines, nth_steps, store_lines
from masksolve.kernels.simd import LANES

BYTES = types.CPointer(types.int8)
SINGLES = types.CPointer(types.float32)


def follow(steps, values):
    """Take a network's steps in Python; values are vectors."""
    values = dict(enumerate(values))
    for a, b, larger, smaller in steps:
        low, high = np.minimum(values[a], values[b]), np.maximum(values[a], values[b])
        values |= {key: v for key, v in ((larger, high), (smaller, low)) if key is not None}
    return values


@pytest.mark.parametrize("m", range(1, 13))
def test_networks_find_the_nth_of_all_zeros_and_ones(m):
    """By the 0-1 principle: so they do of all numbers."""
    lines = np.array(list(product((0, 1), repeat=m))).T
    for n in range(1, m + 1):
        steps, nth = nth_steps(n, m)
        assert (follow(steps, lines)[nth] == np.sort(lines, axis=0)[m - n]).all()


@pytest.mark.parametrize("m", [16, 23, 32, 64])
def test_large_networks_find_the_nth_of_permutations(m):
    rng = np.random.default_rng(m)
    lines = rng.permuted(np.tile(np.arange(m), (2000, 1)), axis=1).T
    for n in (1, 2, m // 2, m - 1, m):
        steps, nth = nth_steps(n, m)
        assert (follow(steps, lines)[nth] == m - n).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 17, 31, 32, 40, 63, 64])
def test_lines_are_split_and_joined(m):
    """Entry j of line t is to be found in lane t of vector j."""

    @callback(types.void(SINGLES, SINGLES), m)
    def split_lines(run, lines):
        load_lines(run, 0, True, lines, m)

    @callback(types.void(BYTES, BYTES), m)
    def join_lines(lines, run):
        store_lines(lines, run, 0, m)

    run = -np.arange(LANES * m, dtype=np.float32)
    lines = np.empty((m, LANES), dtype=np.float32)
    call(split_lines, run, lines)
    np.testing.assert_array_equal(lines, -run.reshape(LANES, m).T)
    flags = lines.astype(np.int8)
    back = np.empty((LANES, m), dtype=np.int8)
    call(join_lines, flags, back)
    np.testing.assert_array_equal(back, flags.T)


def call(address, *arrays):
    """Call a C function by its address."""
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))(address)(*pointers)
