import numpy as np
import pytest
import torch
from torch import nn

from masksolve.torch.filters.shares import Errors, Shares
from masksolve.torch.filters.ties import FIXED
from masksolve.torch.filters.traced import Layer

from . import naive

GEOMETRIES = [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 1}, {"groups": 2}]


def layer(module, columns, groups=1):
    columns = np.array(columns)
    return Layer("layer", module, np.tile(columns, groups), columns)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_shares_and_errors_by_definition(geometry, signed):
    torch.manual_seed(3)
    groups = geometry.get("groups", 1)
    module = nn.Conv2d(4, 6, (2, 3), **geometry)
    x = torch.randn(3, 4, 5, 6) if signed else torch.rand(3, 4, 5, 6)
    if not signed:
        x[0, :, :3] = 0  # parts that are 0 / 0
    atoms = np.tile(np.arange(4 // groups), groups)
    one = layer(module, np.arange(4 // groups), groups)
    weight, values = module.weight.detach().double().numpy(), x.double().numpy()

    shares = Shares(one, 5)
    for batch in x.split(2):
        shares.see(batch)
    expected, seen = naive.sensitivities(weight, values, atoms, **geometry)
    np.testing.assert_allclose(shares.largest[: len(expected)], expected, rtol=1e-12)
    assert shares.largest[4] == 0
    assert (shares.parts_seen, shares.kernel) == (seen, 6)
    places = module(x).shape[2:]
    assert shares.patches == places[0] * places[1]

    factors = np.array([1.0, 0.0, 2.5, 0.3, 9.0])
    errors = Errors(one, factors)
    for batch in x.split(2):
        errors.see(batch)
    expected = naive.largest_error(weight, values, factors[atoms], **geometry)
    assert errors.largest == pytest.approx(expected, rel=1e-12)
    scale = torch.tensor(factors[atoms], dtype=torch.float32).view(1, -1, 1, 1)
    with torch.no_grad():
        whole = module(x) - module.bias.view(-1, 1, 1)
        left = module(x * scale) - module.bias.view(-1, 1, 1)
    assert errors.norm == pytest.approx(float((left - whole).norm() / whole.norm()), rel=1e-5)


def test_columns_of_one_channel_and_what_is_fixed():
    """A flattened channel has several columns, and some inputs are not to be pruned."""
    torch.manual_seed(0)
    module, x = nn.Linear(7, 3), torch.randn(2, 4, 7)  # tokens
    one = layer(module, [0, 0, 1, 1, FIXED, 2, FIXED])
    shares = Shares(one, 3)
    shares.see(x)
    weight = module.weight.detach().double().numpy()[:, :, None, None]
    values = x.reshape(8, 7, 1, 1).double().numpy()
    expected, seen = naive.sensitivities(weight, values, [0, 0, 1, 1, 3, 2, 3])
    np.testing.assert_allclose(shares.largest, expected[:3], rtol=1e-12)
    assert (shares.parts_seen, shares.patches) == (seen, 4)
    errors = Errors(one, np.array([0.0, 3.0, 1.0]))
    errors.see(x)
    expected = naive.largest_error(weight, values, np.array([0, 0, 3, 3, 1, 1, 1]))
    assert errors.largest == pytest.approx(expected, rel=1e-12)


def test_a_share_of_something_tiny_is_not_lost_in_rounding():
    module = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1e-8, 3e-8, -1e8]]))
    shares = Shares(layer(module, [0, 1, 2]), 3)
    shares.see(torch.ones(1, 3))
    np.testing.assert_allclose(shares.largest, [0.25, 0.75, 1], rtol=1e-6)


def test_an_input_of_nothing_has_no_shares_and_no_error():
    shares = Shares(layer(nn.Linear(2, 2), [0, 1]), 2)
    errors = Errors(shares.layer, np.zeros(2))
    for one in (shares, errors):
        one.see(torch.zeros(4, 2))
    assert shares.largest.tolist() == [0, 0]
    assert (errors.largest, errors.norm) == (0, 0)
