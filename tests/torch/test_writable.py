"""Weights that are worked out, and set by their ``data``."""

import copy
import io

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput


@pytest.fixture(params=[True, False], ids=["trained", "frozen"])
def layer(request):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8)).requires_grad_(request.param)
    mst.sparsify(model, "2:4")
    return model[0]


def test_data_that_is_set_reaches_the_dense_weight(layer):
    mask, used, delta = layer.parametrizations.weight[0].mask, layer.weight, torch.randn(8, 8)
    layer.weight.data += delta
    expected = used.detach() + delta
    assert torch.equal(layer.parametrizations.weight.original, expected)
    assert torch.equal(layer.weight, expected * mask)
    layer.weight.data = delta
    assert torch.equal(layer.weight, delta * mask)


@pytest.mark.parametrize(
    "write",
    [
        lambda data, values: data.copy_(values),
        lambda data, values: data.zero_().add_(values),
        lambda data, values: torch.add(values, 0, out=data),
        lambda data, values: data.__setitem__(slice(None), values),
    ],
)
def test_data_that_is_written_to_reaches_the_dense_weight(layer, write):
    values = torch.randn(8, 8)
    write(layer.weight.data, values)
    assert torch.equal(layer.parametrizations.weight.original, values)


def test_reading_data_leaves_the_dense_weight(layer):
    before = layer.parametrizations.weight.original.detach().clone()
    data = layer.weight.data
    assert data.contiguous() is data
    data.float().cpu().t().numpy().sum()
    assert torch.equal(torch.zeros(8, 8).copy_(data), layer.weight)
    assert torch.equal(layer.parametrizations.weight.original, before)


def test_data_becomes_a_parameter_of_its_own(layer):
    before = layer.parametrizations.weight.original.detach().clone()
    parameter = nn.Parameter(layer.weight.data)
    assert type(parameter) is nn.Parameter
    (2 * parameter).sum().backward()
    assert (parameter.grad == 2).all()
    with torch.no_grad():
        parameter.zero_()
    assert torch.equal(layer.parametrizations.weight.original, before)
    assert type(copy.deepcopy(parameter)) is nn.Parameter


def test_data_of_another_shape(layer):
    with pytest.raises(InvalidInput, match=r"data has shape \(4, 4\): the masked weight has"):
        layer.weight.data = torch.ones(4, 4)


def test_what_comes_of_it_is_plain(layer):
    weight = layer.weight
    for tensor in (weight + 1, weight.detach(), weight.data + 1, copy.deepcopy(weight.detach())):
        assert type(tensor) is torch.Tensor
    assert repr(weight).startswith("tensor(")
    file = io.BytesIO()
    torch.save(weight, file)
    file.seek(0)
    assert type(torch.load(file, weights_only=True)) is torch.Tensor


def test_gradients_flow_through_it(layer):
    if layer.parametrizations.weight.original.requires_grad:
        (2 * layer.weight).sum().backward()
        assert (layer.parametrizations.weight.original.grad == 2).all()


def test_transforms_get_the_tensor_as_it_is(layer):
    state = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(state, x):
        return torch.func.functional_call(layer, state, (x,)).square().sum()

    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0))(state, torch.randn(3, 8))
    assert gradients["parametrizations.weight.original"].shape == (3, 8, 8)
