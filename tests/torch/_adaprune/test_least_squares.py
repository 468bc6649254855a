"""Least squares under masks, against NumPy's, one output at a time."""

from itertools import combinations, product

import numpy as np
import pytest
import torch

from masksolve.torch._adaprune.least_squares import better_mask, solve_masked
from masksolve.torch._adaprune.moments import Moments, Objective
from tests.torch._adaprune.models import related


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


def gathered(new, x, batches=3):
    moments = Moments()
    for one, other in zip(new.chunk(batches, 1), x.chunk(batches, 1), strict=True):
        moments.add(one, one if new is x else other)
    return moments


def by_lstsq(weight, mask, new, x, ridge, centred):
    """Solve each output alone, the ridge as further rows."""
    found = np.zeros(tuple(weight.shape))
    for p, o in np.ndindex(*weight.shape[:2]):
        rows, before = (v[min(p, len(v) - 1)].numpy() for v in (new, x))
        target = before @ weight[p, o].numpy()
        if centred:
            rows, target = rows - rows.mean(0), target - target.mean()
        scale = np.sqrt(ridge * (rows**2).mean(0).mean() * len(rows))
        kept = mask[p, o].numpy()
        stacked = np.vstack([rows[:, kept], scale * np.eye(kept.sum())])
        right = np.concatenate([target, scale * weight[p, o].numpy()[kept]])
        # The rows of the ridge for pruned weights: what is in their stead, none.
        found[p, o, kept] = np.linalg.lstsq(stacked, right, rcond=None)[0]
    return torch.from_numpy(found)


def normal(objective, weight, ridge, centred):
    matrix, target = objective.normal_equations(centred=centred)
    scale = ridge * matrix.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    return matrix + scale * torch.eye(matrix.shape[-1]), target + scale * weight


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("parts", "shared"), [(1, True), (3, True), (3, False)])
@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
def test_the_best_weights_are_numpys(same, centred, parts, shared, ridge):
    weight, mask, new, x = problem(parts=parts, shared=shared, same=same)
    objective = Objective(weight, gathered(new, x))
    matrix, target = normal(objective, weight, ridge, centred)
    found = solve_masked(matrix, target, mask, weight)
    assert not found[~mask].any()
    expected = by_lstsq(weight, mask, new, x, ridge, centred)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    if ridge == 0:
        shift = objective.best_shift if centred else lambda v: None
        ours, theirs = (objective.error(v, shift(v)).sum() for v in (found, expected))
        assert theirs <= ours * (1 + 1e-9) <= theirs * (1 + 1e-5)


@pytest.mark.parametrize("same", [True, False])
def test_errors_are_those_of_the_rows(same):
    weight, mask, new, x = problem(parts=2, shared=False, same=same)
    objective = Objective(weight, gathered(new, x))
    found, shift = torch.randn_like(weight) * mask, torch.randn(2, 6, dtype=torch.float64)
    outputs, others = x @ weight.mT, new @ found.mT
    expected = (outputs - others - shift.unsqueeze(1)).square().sum((1, 2))
    torch.testing.assert_close(objective.error(found, shift), expected)
    torch.testing.assert_close(objective.error(found), (outputs - others).square().sum((1, 2)))
    torch.testing.assert_close(objective.energy, outputs.square().sum((1, 2)))
    torch.testing.assert_close(objective.best_shift(found), (outputs - others).mean(1))


def test_fewer_rows_than_weights():
    weight, mask, new, x = problem(rows=5, same=True)
    objective = Objective(weight, gathered(new, x))
    found = solve_masked(*normal(objective, weight, 0.0, False), mask, weight)
    assert found.isfinite().all()
    assert objective.error(found).sum() < 1e-6 * objective.energy.sum()


def test_inputs_that_are_always_zero_keep_their_weights():
    weight, mask, _, x = problem(same=True)
    x[..., 3] = 0
    objective = Objective(weight, gathered(x, x))
    found = solve_masked(*normal(objective, weight, 0.01, False), mask, weight)
    torch.testing.assert_close(found[..., 3], weight[..., 3] * mask[..., 3])


def transposable_masks():
    """All 90 masks 2:4 of a 4 x 4 tile."""
    lines = [[k in kept for k in range(4)] for kept in combinations(range(4), 2)]
    tiles = np.array(list(product(lines, repeat=4)))
    return torch.from_numpy(tiles[(tiles.sum(1) == 2).all(1)])


def test_better_masks_are_better_and_none_beats_the_best():
    masks = transposable_masks()
    assert len(masks) == 90

    def project(scores):
        sums = (scores[0] * masks).sum((1, 2))
        return masks[sums.argmax()].unsqueeze(0)

    gains = []
    for seed in range(20):
        weight, _, new, x = problem(outputs=4, features=4, same=True, seed=seed)
        objective = Objective(weight, gathered(new, x))
        matrix, target = normal(objective, weight, 1e-6, False)

        def error(mask, matrix=matrix, target=target, weight=weight, objective=objective):
            return float(objective.error(solve_masked(matrix, target, mask, weight)).sum())

        first = project(weight.square())
        found = better_mask(matrix, target, first, weight, 20, project)
        best = min(error(mask.unsqueeze(0)) for mask in masks)
        assert best <= error(found) * (1 + 1e-6)
        if error(first) > best:
            gains.append((error(first) - error(found)) / (error(first) - best + 1e-9))
    assert np.mean(gains) > 0.5, "of what there is to gain it finds most, on average"


def test_large_means_do_not_hide_what_varies():
    x = related(1, 300, 16) + 1e3  # single precision
    matrix, _ = Objective(torch.randn(1, 4, 16), gathered(x, x)).normal_equations(centred=True)
    expected = np.cov(x[0].double().numpy().T, bias=True)
    np.testing.assert_allclose(matrix[0].numpy(), expected, atol=1e-4 * np.trace(expected))
