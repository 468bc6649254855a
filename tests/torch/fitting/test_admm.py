"""ADMM against itself written down plainly, and against every mask there is."""

import numpy as np
import torch

from masksolve.torch.fitting import Moments
from masksolve.torch.fitting.admm import PENALTIES, alternate
from masksolve.torch.fitting.least_squares import solve_masked
from masksolve.torch.fitting.objective import Objective
from masksolve.torch.fitting.system import System
from tests.naive import valid_masks
from tests.torch.fitting.problems import best_mask, related

MASKS = torch.from_numpy(np.asarray(valid_masks(2, 4, False), dtype=bool))


def system_of(outputs, features, seed, dtype=torch.float64):
    weight = torch.randn(1, outputs, features, generator=torch.Generator().manual_seed(seed))
    moments = Moments()
    moments.add(related(200, features, seed=seed))
    return System(Objective(weight, moments), weight, centred=False, dtype=dtype)


def project(scores):
    return torch.from_numpy(best_mask(scores[0], 2, 4, True)).unsqueeze(0)


def naive(matrix, target, dense, mask, rounds, damping):
    """Every round's equations by an inverse of their own; the dual not scaled."""
    penalties = np.geomspace(*PENALTIES, rounds) * (1 + damping)
    held, dual = dense * mask, np.zeros_like(dense)
    for penalty in penalties:
        free = (target + penalty * held - dual) @ np.linalg.inv(
            matrix + penalty * np.eye(len(matrix))
        )
        wanted = free + dual / penalty
        mask = best_mask(wanted**2, 2, 4, True)
        held = wanted * mask
        dual = dual + penalty * (free - held)
    return held, mask


def test_it_is_what_is_written_down():
    system = system_of(8, 12, 0)
    equations = system.damped(0.05)
    first = project(system.dense.square())
    held, mask = alternate(equations, first, 6, project)
    arrays = (equations.matrix, equations.target, system.dense, first)
    expected, kept = naive(*(v[0].numpy() for v in arrays), 6, 0.05)
    assert (mask[0].numpy() == kept).all()
    np.testing.assert_allclose(held[0].numpy(), expected, rtol=1e-6, atol=1e-8)


def test_better_masks_are_better_and_none_beats_the_best():
    gains = []
    for seed in range(20):
        system = system_of(4, 4, seed)
        equations = system.damped(1e-6)

        def error(mask, equations=equations, system=system):
            u = solve_masked(equations, mask, system.dense)
            return float(((u @ equations.matrix - 2 * equations.target) * u).sum())

        first = project(system.dense.square())
        _, found = alternate(equations, first, 20, project)
        best = min(error(mask.unsqueeze(0)) for mask in MASKS)
        assert best <= error(found) + 1e-6 * abs(best)
        if error(first) > best:
            gains.append((error(first) - error(found)) / (error(first) - best + 1e-9))
    assert np.mean(gains) > 0.5, "of what there is to gain it finds most, on average"
