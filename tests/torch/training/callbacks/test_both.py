"""What a callback does alike in every library's training."""

from importlib import import_module

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch.training.callbacks.models import QUIET, sparse


@pytest.fixture(params=["huggingface", pytest.param("lightning", marks=QUIET)])
def library(request):
    """Its Classifier, and fit(model, handle, folder); skips without the library."""
    return import_module(f"tests.torch.training.callbacks.test_{request.param}")


def test_masks_change_while_it_trains(library, tmp_path):
    model, handle = sparse(library.Classifier())
    before = {name: mask.clone() for name, mask in handle.masks.items()}
    library.fit(model, handle, tmp_path)
    assert handle.steps == 12
    assert [record.step for record in handle.history.records] == list(range(13))
    assert handle.history.sad() > 0
    for name, mask in handle.masks.items():
        assert (mask != before[name]).any()
        ms.check_mask(mask.numpy(), "2:4")
    for layer in handle.layers:  # of the weights as they are now, not a step before
        exact = mst.solve_mask(layer.weight, "2:4")
        assert (layer.weight.abs() * exact).sum() == (layer.weight.abs() * layer.mask).sum()


def test_a_part_of_the_model(library, tmp_path):
    model = library.Classifier()
    _, handle = sparse(model.body)
    library.fit(model, handle, tmp_path, max_steps=2)
    assert handle.steps == 2


def test_another_model(library, tmp_path):
    _, handle = sparse(library.Classifier())
    with pytest.raises(ms.InvalidInput, match=r"Classifier does not hold the body\.0\.weight"):
        library.fit(library.Classifier(), handle, tmp_path)


def test_a_finalized_model(library, tmp_path):
    model, handle = sparse(library.Classifier())
    handle.finalize()
    with pytest.raises(ms.InvalidInput, match="finalized"):
        library.fit(model, handle, tmp_path)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2:4", "the pattern '2:4'"),
        (ms.Pattern(2, 4), "the pattern '2:4'"),
        (nn.Linear(4, 4), "a model, Linear"),
        (None, "a NoneType"),
    ],
)
def test_what_is_no_handle(library, given, shown):
    callback = library.CALLBACK
    words = rf"{callback.__name__} takes the handle that sparsify\(.* returns, got {shown}$"
    with pytest.raises(ms.InvalidInput, match=words):
        callback(given)


def test_static_masks_hold_what_they_prune(library, tmp_path):
    """Whatever the optimizer decays."""
    model = library.Classifier()
    _, handle = sparse(model, estimator="none")
    pruned = {layer.name: layer.weight[~layer.mask].clone() for layer in handle.layers}
    for _ in range(2):  # a second training has another optimizer
        library.fit(model, handle, tmp_path, **library.decaying(model))
    for layer in handle.layers:
        assert torch.equal(layer.weight[~layer.mask], pruned[layer.name])
