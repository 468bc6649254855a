"""Least squares under masks, against NumPy's, one output at a time."""

import numpy as np
import pytest
import torch

from masksolve.torch.fitting import Moments
from masksolve.torch.fitting.least_squares import improve_masked, solve_masked
from masksolve.torch.fitting.objective import Objective
from masksolve.torch.fitting.system import System
from tests.torch.fitting.problems import error_of, least_squares, related


def problem(parts=1, rows=200, outputs=6, features=16, shared=True, same=False, seed=0):
    random = torch.Generator().manual_seed(seed)
    inputs = [related(rows, features, seed=seed + k) for k in range(1 if shared else parts)]
    x = torch.stack(inputs).double()
    noise = torch.randn(x.shape, generator=random, dtype=torch.float64)
    new = x if same else x + 0.2 * noise
    weight = torch.randn(parts, outputs, features, generator=random, dtype=torch.float64)
    mask = torch.rand(parts, outputs, features, generator=random) < 0.5
    mask[..., 0] = True
    return weight, mask, new, x


def objective_of(weight, new, x, batches=3):
    moments = Moments()
    for one, other in zip(new.chunk(batches, 1), x.chunk(batches, 1), strict=True):
        moments.add(one, None if new is x else other)
    return Objective(weight, moments)


def solved(objective, weight, mask, damping, centred, dtype=torch.float64):
    system = System(objective, weight, centred=centred, dtype=dtype)
    return solve_masked(system.damped(damping), mask, system.dense) / system.scale


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("parts", "shared"), [(1, True), (3, True), (3, False)])
@pytest.mark.parametrize("damping", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_best_weights_are_numpys(same, centred, parts, shared, damping, dtype):
    weight, mask, new, x = problem(parts=parts, shared=shared, same=same)
    objective = objective_of(weight, new, x)
    found = solved(objective, weight, mask, damping, centred, dtype).double()
    assert not found[~mask].any()
    for p in range(parts):
        rows, before = (v[min(p, len(v) - 1)].numpy() for v in (new, x))
        dense, kept = weight[p].numpy(), mask[p].numpy()
        wanted = before @ dense.T
        expected, shift = least_squares(rows, wanted, dense, kept, damping, centred)
        np.testing.assert_allclose(found[p], expected, rtol=2e-3, atol=2e-3)
        if damping == 0:
            ours = error_of(rows, wanted, found[p], objective.best_shift(found)[p] * centred)
            theirs = error_of(rows, wanted, expected, shift)
            assert theirs * (1 - 1e-9) <= ours <= theirs * (1 + 1e-5) + 1e-9 * (wanted**2).sum()


def test_fewer_rows_than_weights():
    weight, mask, new, x = problem(rows=5, same=True)
    objective = objective_of(weight, new, x)
    found = solved(objective, weight, mask, 0.0, False)
    assert found.isfinite().all()
    assert objective.error(found).sum() < 1e-6 * objective.energy.sum()


def test_inputs_that_are_always_zero_keep_their_weights():
    weight, mask, _, x = problem(same=True)
    x[..., 3] = 0
    found = solved(objective_of(weight, x, x), weight, mask, 0.01, False)
    torch.testing.assert_close(found[..., 3], weight[..., 3] * mask[..., 3])


def test_steps_without_an_inverse_get_there_as_well():
    weight, mask, new, x = problem(features=64, rows=2000)
    objective = objective_of(weight, new, x)
    system = System(objective, weight, centred=False, dtype=torch.float32)
    equations = system.damped(0.01)
    found = [improve_masked(equations, mask, system.dense, k) for k in (1, 4, 200)]
    assert not any(one[~mask].any() for one in found)
    errors = [float(objective.error(one / system.scale)) for one in found]
    best = float(objective.error(solve_masked(equations, mask, system.dense) / system.scale))
    assert errors[0] > errors[1] > errors[2] * (1 - 1e-6)
    assert errors[2] == pytest.approx(best, rel=1e-3)
