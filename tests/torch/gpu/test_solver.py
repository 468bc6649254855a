"""On the device as on the CPU: the same objective, proven, and masks that obey the pattern."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from masksolve.torch.gpu import solver
from masksolve.torch.gpu.solver import solve_on_device
from tests.torch.gpu.tiles import FAMILIES, matrices, solved


def assert_optimal(found, weights, n, m, *, at_most=False, magnitude=True):
    assert found.flags.tolist() == [0, 0, 0, 0]
    pattern = f"{n}:{m}{',at-most' if at_most else ''}"
    ms.check_mask(found.mask.numpy(), pattern)
    score = np.abs if magnitude else None
    wide = weights.to(torch.float64).numpy()
    judged = ms.certify(wide, found.mask.numpy(), pattern, score=score, plain=True)
    assert judged.status is ms.Status.OPTIMAL
    best = solved(weights, n, m, at_most=at_most, magnitude=magnitude)
    assert judged.objective == pytest.approx(best.objective, rel=1e-12, abs=1e-300)
    assert found.kept.sum().item() == pytest.approx(best.objective, rel=1e-12, abs=1e-300)
    assert (found.gaps >= 0).all()
    assert found.gaps.sum().item() <= 1e-12 * max(abs(best.objective), 1e-300) * found.gaps.numel()


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("magnitude", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family, magnitude, at_most):
    for n, m in ((2, 4), (4, 8)):
        weights = matrices(family, (1, m + 1, 2 * m + 3), seed=n)
        found = solve_on_device(weights, n, m, at_most=at_most, magnitude=magnitude)
        assert_optimal(found, weights, n, m, at_most=at_most, magnitude=magnitude)


@pytest.mark.parametrize(("n", "m"), [(1, 2), (1, 3), (4, 5), (5, 6), (3, 10), (8, 16), (1, 16)])
def test_patterns(n, m):
    weights = matrices("grid", (2, m, m), seed=m)
    assert_optimal(solve_on_device(weights, n, m), weights, n, m)


@settings(max_examples=12)
@given(
    st.integers(2, 6).flatmap(
        lambda m: st.tuples(
            st.integers(1, m - 1),
            st.just(m),
            arrays(np.float32, (1, m + 1, 2 * m), elements=st.floats(-4, 4, width=16)),
        )
    ),
    st.booleans(),
    st.booleans(),
)
def test_any_scores(drawn, magnitude, at_most):
    n, m, array = drawn
    weights = torch.from_numpy(array.copy())
    found = solve_on_device(weights, n, m, at_most=at_most, magnitude=magnitude)
    assert_optimal(found, weights, n, m, at_most=at_most, magnitude=magnitude)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(dtype):
    weights = matrices("normal", (1, 16, 16), dtype)
    assert_optimal(solve_on_device(weights, 4, 8), weights, 4, 8)


def test_chunks_change_nothing(monkeypatch):
    weights = matrices("grid", (2, 5, 9), seed=3)
    whole = solve_on_device(weights, 2, 4, potentials=True)
    for tiles in (1, 5):
        monkeypatch.setattr(solver, "WORKSPACE", 16 * 4 * tiles)
        parts = solve_on_device(weights, 2, 4, potentials=True)
        for what in ("mask", "kept", "gaps", "flags", "column_potentials"):
            assert torch.equal(getattr(parts, what), getattr(whole, what))
        assert torch.equal(solve_on_device(weights, 2, 4).mask, whole.mask)


@pytest.mark.parametrize("at_most", [False, True])
def test_warm_starts_are_exact_whatever_they_are(at_most):
    weights = matrices("normal", (1, 17, 24))
    first = solve_on_device(weights, 4, 8, at_most=at_most, potentials=True)
    moved = weights + 0.01 * matrices("normal", weights.shape, seed=1)
    for start in (first.column_potentials, 5 - torch.rand(first.column_potentials.shape) * 9):
        found = solve_on_device(moved, 4, 8, at_most=at_most, start=start.to(torch.float64))
        assert_optimal(found, moved, 4, 8, at_most=at_most)


@pytest.mark.parametrize("shape", [(0, 8, 8), (1, 0, 8), (1, 8, 0)])
def test_nothing_to_solve(shape):
    found = solve_on_device(torch.zeros(shape), 2, 4)
    assert found.mask.shape == shape
    assert not found.flags.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [(0, 1, 2), (0, 8, 8)])
def test_scores_that_are_not_finite_are_flagged(bad, where):
    weights = matrices("normal", (1, 9, 9))
    weights[where] = bad
    assert solve_on_device(weights, 2, 4).flags[0] == 1


def test_scores_that_overflow_when_summed_are_flagged():
    weights = matrices("normal", (1, 4, 4), torch.float64)
    weights[0, 0, 0] = 2.0**961
    assert solve_on_device(weights, 2, 4).flags[0] == 1
