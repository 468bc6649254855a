"""SparseGPT against its definition, mask by mask tried out."""

import numpy as np
import pytest
import torch

from masksolve.torch.fitting import Moments
from masksolve.torch.fitting.objective import Objective
from masksolve.torch.fitting.sparsegpt import sweep
from masksolve.torch.fitting.system import System
from tests.torch.fitting.problems import best_mask, brain_surgeon, related


@pytest.mark.parametrize("transposable", [True, False])
@pytest.mark.parametrize("make_up", [True, False])
@pytest.mark.parametrize("columns", [4, 128], ids=["blocks of four", "one block"])
def test_it_is_what_the_paper_says(transposable, make_up, columns, monkeypatch):
    monkeypatch.setattr("masksolve.torch.fitting.sparsegpt.COLUMNS", columns)
    rows = related(300, 12)
    weight = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(1))
    moments = Moments()
    wanted = rows @ weight[0].T + 0.3 * make_up * related(300, 8, seed=5)
    moments.add(rows, wanted=wanted)
    system = System(Objective(weight, moments), weight, centred=False, dtype=torch.float64)
    equations = system.damped(0.05)
    found, mask = sweep(
        equations,
        4,
        lambda scores: torch.from_numpy(best_mask(scores[0], 2, 4, transposable))[None],
    )
    matrix, target = equations.matrix[0].numpy(), equations.target[0].numpy()
    dense = target @ np.linalg.inv(matrix)
    if not make_up:
        np.testing.assert_allclose(dense, system.dense[0], rtol=1e-3, atol=1e-3)
    expected, kept = brain_surgeon(matrix, dense, 2, 4, transposable)
    assert (mask[0].numpy() == kept).all()
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_last_group_of_columns_may_be_narrow():
    moments = Moments()
    moments.add(related(100, 10))
    weight = torch.randn(1, 4, 10, generator=torch.Generator().manual_seed(1))
    system = System(Objective(weight, moments), weight, centred=False, dtype=torch.float32)
    widths = []

    def project(scores):
        widths.append(scores.shape[-1])
        return torch.ones_like(scores, dtype=torch.bool)

    found, _ = sweep(system.damped(0.01), 4, project)
    assert widths == [4, 4, 2]
    torch.testing.assert_close(found, system.dense, rtol=1e-3, atol=1e-3)
