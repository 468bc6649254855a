"""Weights with masks as a handle sees them, and how they are let go."""

import torch
from torch import nn
from torch.nn.utils import parametrize

import masksolve.torch as mst
from masksolve.torch.layer import masked_layers
from tests.torch.trained import WEIGHTS, net


class Tanh(nn.Module):
    """Something that somebody else puts on a weight."""

    def forward(self, weight):
        return weight.tanh()


def test_what_it_knows():
    model = net()
    dense = {name: p.detach().clone() for name, p in model.named_parameters()}
    mst.sparsify(model, "4:8")
    layers = {layer.name: layer for layer in masked_layers(model)}
    assert set(layers) == WEIGHTS
    for name, layer in layers.items():
        assert torch.equal(layer.weight, dense[name])
        assert not layer.weight.requires_grad
        assert layer.gradient is None
        assert torch.equal(layer.used(), layer.weight * layer.mask)
        assert layer.module is model.get_submodule(name.rpartition(".")[0])
    assert [layer.kind for layer in layers.values()] == [nn.Conv1d, nn.Linear, nn.Linear]
    assert layers["conv.weight"].layout == mst.Layout()


class Own(nn.Linear):
    """Somebody's own layer."""


def test_the_kind_is_the_modules_own():
    (layer,) = mst.sparsify(Own(8, 8), "4:8").layers
    assert layer.kind is Own


def test_another_parametrization_on_top():
    model = nn.Sequential(nn.Linear(8, 8))
    handle = mst.sparsify(model, "4:8")
    parametrize.register_parametrization(model[0], "weight", Tanh())
    (layer,) = masked_layers(model)
    expected = (layer.weight * layer.mask).tanh()
    assert torch.equal(layer.used(), expected)
    assert torch.equal(model[0].weight, expected)
    handle.finalize()
    assert type(model[0]) is nn.Linear
    assert torch.equal(model[0].weight, expected)


def test_another_parametrization_beside():
    layer = nn.GRUCell(8, 8)
    names = [name for name, _ in layer.named_parameters()]
    parametrize.register_parametrization(layer, "bias_ih", Tanh())
    handle = mst.sparsify(layer, "4:8")
    assert list(handle.masks) == ["weight_ih", "weight_hh"]
    handle.finalize()
    assert parametrize.is_parametrized(layer, "bias_ih")
    parametrize.remove_parametrizations(layer, "bias_ih", leave_parametrized=False)
    assert {name for name, _ in layer.named_parameters()} == set(names)


def test_released_as_it_was_or_as_it_is_used():
    for masked in (True, False):
        model = net()
        before = model.fc1.weight.detach().clone()
        handle = mst.sparsify(model, "4:8", select="fc1")
        (layer,) = handle.layers
        weight, used = layer.original, layer.used()
        layer.release(masked=masked)
        assert model.fc1.weight is weight
        assert torch.equal(weight, used if masked else before)
        assert [name for name, _ in model.fc1.named_parameters()] == ["weight", "bias"]
