"""Rounds in 16-bit integers against the same with Python's sorted lists, tile by tile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masksolve.kernels.jit import kernel
from masksolve.kernels.narrow_rounds import SHORT, coarsener, narrow_relaxer, refiner, widener
from masksolve.kernels.schedule import relaxations, rounds
from masksolve.kernels.simd import LANES, call, pointer

ZERO = 2**14
TOP = 2**16 - 1


@kernel
def coarse(co, rx, wi, s, base, floor, step, ints, v, m, first, last):
    """Round scores to steps, take rounds, and widen potentials."""
    n, lines = m * m * LANES, m * LANES
    v16, least_u, least_v = pointer(ints, n), pointer(ints, n + lines), pointer(ints, n + 2 * lines)
    f, size = pointer(floor, 0), pointer(step, 0)
    call(co, (pointer(s, 0), pointer(base, 0), f, size, pointer(ints, 0), v16, least_u, least_v, m))
    u16 = pointer(ints, n + 3 * lines)
    nothing = pointer(base, 0), 0, pointer(base, 0), 0
    call(rx, (pointer(ints, 0), u16, v16, least_u, least_v, first, last, *nothing))
    call(wi, (v16, least_v, f, size, pointer(v, 0), 0, m))


def lanes(array):
    """Put (16, ...) in lanes, the last axis, flat."""
    return np.ascontiguousarray(np.moveaxis(array, 0, -1)).ravel().astype(np.float32)


def middle(line, n):
    ordered = sorted(line, reverse=True)
    return (ordered[n - 1] + ordered[n] + 1) // 2


def naive_rounds(s, n, step, at_most, floored, first, last):
    """Take the rounds of one tile (m, m); return V as it is held."""
    m = len(s)
    finer = np.float32(1 / step)
    held = [[round(float(np.float32(x) * finer)) + 2**15 for x in row] for row in s]
    held = [[min(max(x, 0), TOP) for x in row] for row in held]
    shares = [round(float(w - np.float32(1)) * 2**15) for w in relaxations(m)]
    least = ZERO if floored else 0
    u, v = [0] * m, [ZERO] * m

    def further(new, old, share):
        new = max(new, least) if at_most else new
        old = new if old is None else old
        found = (new + (((new - old) * share + 2**14) >> 15)) & TOP
        return max(found, least) if at_most else found

    for k in range(first, last):
        for i in range(m):
            new = middle([max(held[i][j] - v[j], 0) for j in range(m)], n)
            if k == 0 and m <= SHORT:  # all v alike: taken away last
                new = max(middle(held[i], n) - ZERO, 0)
            u[i] = further(new, u[i] if k > first else None, shares[k])
        for j in range(m):
            new = middle([max(held[i][j] - u[i], 0) for i in range(m)], n)
            v[j] = further(new, v[j], shares[k])
    return v


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 5), (4, 8), (5, 12), (8, 16)])
def test_rounds_are_those_of_sorted_lists(n, m, at_most):
    rng = np.random.default_rng(m)
    s = rng.normal(size=(LANES, m, m)).astype(np.float32)
    s[: LANES // 2] = abs(s[: LANES // 2])
    s[3] *= 40  # far too large for the step: cut off
    step = np.full(LANES, 2.0**-13, np.float32)
    floored = np.arange(LANES) % 2 == 1
    floor = np.where(floored & at_most, 0, -np.inf).astype(np.float32)
    v, ints = np.empty(m * LANES, np.float32), np.empty(m * LANES * (m + 4), np.int16)
    code = coarsener(), narrow_relaxer(n, m, at_most), widener()
    base = np.zeros(LANES, np.float32)
    coarse(*code, lanes(s), base, floor, step, ints, v, m, 0, rounds(m))
    for t in range(LANES):
        wanted = naive_rounds(s[t], n, 2.0**-13, at_most, floored[t], 0, rounds(m))
        np.testing.assert_array_equal(v[t::LANES], (np.array(wanted) - ZERO) * 2.0**-13)


@kernel
def refine(re, s, u, v, floor, step, finer, ints, m):
    """Bring what scores leave to finer steps."""
    n, lines = m * m * LANES, m * LANES
    places = (pointer(ints, n), pointer(ints, n + lines), pointer(ints, n + 2 * lines))
    potentials = (pointer(u, 0), pointer(v, 0), pointer(floor, 0), pointer(step, 0))
    call(re, (pointer(s, 0), *potentials, finer, pointer(ints, 0), *places, m))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([2, 3, 8]), st.sampled_from([4.0, 32.0]))
def test_zoom_puts_what_is_left_in_finer_steps(seed, m, finer):
    rng = np.random.default_rng(seed)
    s, u, v = (rng.normal(size=(LANES, *shape)) for shape in ((m, m), (m,), (m,)))
    step, ints = np.full(LANES, 2.0**-12, np.float32), np.empty(m * LANES * (m + 3), np.int16)
    floor = np.where(np.arange(LANES) % 2, 0, -np.inf).astype(np.float32)
    refine(refiner(), lanes(s), lanes(u), lanes(v), floor, step, np.float32(finer), ints, m)
    assert (step == 2.0**-12 / finer).all()
    held = ints.view(np.uint16)[: m * m * LANES].reshape(m, m, LANES)
    left = lanes(s).reshape(m, m, LANES) - lanes(v).reshape(m, LANES)
    left = (left - lanes(u).reshape(m, 1, LANES)) * (2.0**12 * finer)
    np.testing.assert_array_equal(held, np.clip(np.rint(left) + 2**15, 0, TOP))
    least = ints.view(np.uint16)[(m + 1) * m * LANES :].reshape(2, m, LANES)
    for found, p in zip(least, (u, v), strict=True):
        wanted = np.rint(-lanes(p).reshape(m, LANES) * (2.0**12 * finer)) + ZERO
        np.testing.assert_array_equal(found[:, 1::2], np.clip(wanted, 0, TOP - ZERO)[:, 1::2])
        assert not found[:, ::2].any()
