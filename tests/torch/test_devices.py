"""Masks that are renewed while training, with the interpreter in the device's place."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.result import MaskResult
from masksolve.torch import devices
from masksolve.torch.results import DeviceResult


@pytest.fixture
def _there(monkeypatch):
    monkeypatch.setattr(devices, "serves", lambda tensor: True)


def train(pattern, steps=3, **options):
    """Train a small model; return its handle, and the masks after every step."""
    torch.manual_seed(0)
    model = nn.Linear(16, 16)
    handle = mst.sparsify(model, pattern, **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    masks = [handle.masks["weight"].clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 16)).square().sum().backward()
        optimizer.step()
        handle.step()
        masks.append(handle.masks["weight"].clone())
    return handle, masks


@pytest.mark.parametrize("pattern", ["4:8", "2:4,at-most"])
@pytest.mark.parametrize("warm", [False, True])
def test_training_is_the_same(pattern, warm, request):
    here, expected = train(pattern, warm_start=warm)
    request.getfixturevalue("_there")
    there, found = train(pattern, warm_start=warm)
    assert isinstance(here.layers[0].result, MaskResult)
    assert isinstance(there.layers[0].result, DeviceResult)
    assert (there.layers[0].result.column_potentials is not None) == warm
    for mask, wanted in zip(found, expected, strict=True):
        assert torch.equal(mask, wanted)
    assert there.history.sad() == here.history.sad()
    for ours, theirs in zip(there.history.records, here.history.records, strict=True):
        assert ours.whole.flip_rate == theirs.whole.flip_rate
        assert ours.whole.kept_share == pytest.approx(theirs.whole.kept_share, rel=1e-6)


@pytest.mark.usefixtures("_there")
def test_a_score_that_is_not_finite_leaves_all_masks():
    handle, masks = train("2:4")
    with torch.no_grad():
        handle.layers[0].original[3, 5] = np.nan
    with pytest.raises(ms.InvalidInput, match=r"weight at step .*\[3, 5\] is nan.*all masks stay"):
        handle.refresh()
    assert torch.equal(handle.masks["weight"], masks[-1])


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize(
    ("turn", "kind"),
    [(lambda w: w.to(torch.complex64), "complex"), (torch.Tensor.to_sparse, "sparse")],
)
def test_scores_that_are_no_dense_real_numbers(turn, kind):
    with pytest.raises(ms.InvalidInput, match=f"the score of weight is .*{kind}"):
        train("2:4", score=lambda layer: turn(layer.weight))


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])
def test_handles_are_copied_and_pickled(twin_of):
    handle, _ = train("2:4", warm_start=True)
    twin = twin_of(handle)
    twin.refresh()
    assert torch.equal(twin.masks["weight"], handle.masks["weight"])


def test_a_model_that_moves_between_devices(monkeypatch):
    handle, _ = train("2:4", warm_start=True)
    monkeypatch.setattr(devices, "serves", lambda tensor: True)
    handle.refresh()
    assert isinstance(handle.layers[0].result, DeviceResult)
    monkeypatch.setattr(devices, "serves", lambda tensor: False)
    handle.refresh()
    assert isinstance(handle.layers[0].result, MaskResult)
