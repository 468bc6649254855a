"""The operator: torch's own checks, compilers and exporters see through it."""

import re

import pytest
import torch

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch import devices
from masksolve.torch.gpu import operator, support
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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"weights": torch.zeros(8, 8)}, "weights must be (batch, rows, columns)"),
        ({"weights": torch.zeros(1, 8, 8, dtype=torch.int32)}, "of torch.int32"),
        ({"n": 4}, "got n = 4 and m = 4"),
        ({"start": torch.zeros(3, 4, dtype=torch.float64)}, "start must be (4, 4)"),
        ({"start": torch.zeros(4, 4)}, "of torch.float32"),
    ],
)
def test_what_kernels_would_read_wrongly_is_refused(arguments, sentence):
    given = {"weights": torch.zeros(1, 8, 8), "n": 2, "m": 4} | arguments
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        exact_mask(**given, at_most=False, magnitude=True)


def test_starts_of_any_strides():
    weights, start = matrices("normal", (1, 8, 8)), torch.randn(4, 4, dtype=torch.float64)
    expected = exact_mask(weights, 2, 4, False, True, start, True)
    found = exact_mask(weights, 2, 4, False, True, start.t().contiguous().t(), True)
    assert torch.equal(found[1], expected[1])


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


def test_compilers_see_through_solve_mask(monkeypatch):
    """And the question whether the device is able is put once, when they do."""
    monkeypatch.setattr(devices, "serves", lambda tensor: support.is_able(tensor.device))
    weights = matrices("normal", (1, 8, 8))[0]
    compiled = torch.compile(
        lambda weights: mst.solve_mask(weights, "2:4"), fullgraph=True, backend="aot_eager"
    )
    assert torch.equal(compiled(weights), mst.solve_mask(weights, "2:4"))
