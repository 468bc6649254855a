"""Models, handles and checkpoints made before modules moved; see tests/old/make.py."""

import importlib

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.moved import MOVED
from tests.test_moved import OLD, load, torch_names

BATCH = torch.ones(2, 4, 4, 4)


@pytest.mark.parametrize("name", torch_names)
def test_every_old_name_leads_to_its_module(name):
    if "trainers." in name:
        pytest.importorskip({"huggingface": "transformers"}.get(name.split(".")[-1], "lightning"))
    old, new = importlib.import_module(name), importlib.import_module(MOVED[name])
    for public in getattr(new, "__all__", []):
        assert getattr(old, public) is getattr(new, public)


def test_functions_stay_functions_whatever_is_imported():
    from masksolve.torch.adaprune import adaprune
    from masksolve.torch.sparsify import sparsify

    assert mst.adaprune is adaprune
    assert mst.sparsify is sparsify


def train(handle):
    optimizer = torch.optim.SGD(handle.model.parameters(), 1e-3)
    handle.model(BATCH).square().sum().backward()
    optimizer.step()
    handle.step()


def test_a_handle_goes_on():
    handle = load("handle")
    assert handle.steps == 5
    assert str(handle.report()).split()[:4] == ["masks", "after", "5", "steps"]
    train(handle)
    for mask in handle.masks.values():
        ms.check_mask(mask.numpy(), "4:8")
    assert all(type(m) is nn.Linear for m in handle.finalize() and handle.model[2:])


def test_a_handle_with_a_function_for_its_score():
    handle = load("handle_function")
    train(handle)
    assert handle.steps == 1
    for mask in handle.masks.values():
        ms.check_mask(mask.numpy(), "4:8")


def test_a_model_saved_whole():
    model = torch.load(OLD / "model.pt", weights_only=False)
    handle = mst.Handle(model)
    assert list(handle.masks) == ["2.weight", "3.weight"]
    train(handle)
    for mask in handle.masks.values():
        ms.check_mask(mask.numpy(), "4:8")


def test_a_checkpoint_fits_a_model_of_today():
    state = torch.load(OLD / "checkpoint.pt")
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(32, 16), nn.Linear(16, 8))
    handle = mst.sparsify(model, "4:8")
    model.load_state_dict(state["model"])
    handle.load_state_dict(state["handle"])
    assert handle.steps == 5
    old = torch.load(OLD / "model.pt", weights_only=False)
    assert torch.equal(model(BATCH), old(BATCH))


def test_what_the_methods_leave():
    assert load("report").step == 5
    assert load("layout") == mst.layout_of(nn.Conv2d(4, 8, 3))
    assert isinstance(load("sparse_products")[0], mst.SparseLinear)
    assert {"2.weight", "3.weight"} <= set(load("adapruned").masks)
    assert load("by_density").m == 8
    assert mst.dst.remaining(load("dst")).total == 1
    assert load("dst_lstm")(torch.zeros(3, 2, 4))[0].shape == (3, 2, 6)
    assert "parameters" in str(load("filters_report"))
