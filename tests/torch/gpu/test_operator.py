"""The operator: torch's own checks, compilers and exporters see through it."""

import pytest
import torch

from masksolve.torch.gpu import operator
from masksolve.torch.gpu.operator import exact_mask
from tests.torch.gpu.tiles import matrices, solved


@pytest.fixture(params=["interpreter", "engine"])
def _where(request, monkeypatch):
    if request.param == "engine":
        monkeypatch.setattr(operator, "interpreted", lambda: False)


@pytest.mark.usefixtures("_where")
def test_it_solves():
    weights = matrices("normal", (2, 9, 12))
    mask, potentials, verdict, flags = exact_mask(weights, 2, 4, False, True, None, True)
    best = solved(weights, 2, 4)
    assert torch.equal(mask, torch.from_numpy(best.mask))
    assert potentials.shape == (2 * 3 * 3, 4)
    assert verdict[0].item() == pytest.approx(best.objective, rel=1e-12)
    assert verdict[1].item() <= 1e-12 * best.objective
    assert not flags.any()
    assert exact_mask(weights, 2, 4, False, True)[1].shape == (0, 4)


@pytest.mark.usefixtures("_where")
def test_torchs_own_checks():
    weights = matrices("normal", (1, 5, 8))
    for start in (None, torch.zeros(4, 4, dtype=torch.float64)):
        torch.library.opcheck(exact_mask, (weights, 2, 4, False, True, start))


def test_compilers_see_through_it():
    def masked(weights):
        return weights * exact_mask(weights, 2, 4, False, True, None)[0]

    weights = matrices("normal", (1, 8, 8))
    compiled = torch.compile(masked, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(weights), masked(weights))


def test_exporters_see_through_it():
    class Masked(torch.nn.Module):
        def forward(self, weights):
            return exact_mask(weights, 2, 4, True, True, None)[0]

    weights = matrices("normal", (1, 8, 8))
    exported = torch.export.export(Masked(), (weights,))
    assert "masksolve.exact_mask" in str(exported.graph)
    assert torch.equal(exported.module()(weights), Masked()(weights))
