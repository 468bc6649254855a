import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.prune import l1_unstructured

import masksolve.torch as mst
from masksolve.errors import InvalidInput

from .nets import make


def usual():
    net, batch = make("residual")
    return net, [batch]


def refused(*arguments, **options):
    arguments = arguments or (*usual(), 0.5)
    with pytest.raises(InvalidInput) as caught:
        mst.filters.prune(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("budget", [0, -0.5, 1.5, float("nan"), "half", True, None])
def test_budgets(budget):
    message = refused(*usual(), budget)
    assert message.startswith("budget must be the share of parameters that stays, above 0")
    assert message.endswith(f"got {budget!r}")


def test_a_budget_that_is_too_small_says_what_is_possible():
    net, batches = usual()
    message = refused(net, batches, 0.001)
    assert "and 60 are left when every group of layers keeps the fewest filters" in message
    least = float(message.rpartition("at least ")[2])
    assert mst.filters.prune(net, batches, least).report.parameters[1] == 60


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ([], "batches holds no batch: expected at least one"),
        (iter(()), "batches holds no batch"),
        (7, "batches must be an iterable of batches, got int"),
        ([np.zeros((2, 1, 8, 8))], "batches[0] must be a tensor, or a tuple"),
        ([{"x": 1}], "got dict"),
        ([()], "got tuple"),
        ([torch.zeros(0, 1, 8, 8)], "batches[0] is empty, of shape (0, 1, 8, 8)"),
        ([torch.full((2, 1, 8, 8), torch.nan)], "batches[0] holds values that are not finite"),
        ([torch.zeros(2, 3, 8, 8)], "batches[0], of shape (2, 3, 8, 8), does not go through"),
        ([torch.zeros(2, 1, 8, 8), torch.zeros(2, 8)], "batches[1], of shape (2, 8), does not"),
    ],
)
def test_batches(batches, said):
    assert said in refused(usual()[0], batches, 0.5)


def test_batches_held_out():
    message = refused(held_out=[torch.zeros(2, 2, 8, 8)])
    assert message.startswith("held_out[0], of shape (2, 2, 8, 8), does not go through the model")
    assert "at node 'stem'" in message
    assert "held_out holds no batch" in refused(held_out=[])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sampler": "best"}, "sampler must be one of deterministic, hybrid, random, uniform,"),
        ({"delta": 0}, "delta must be a probability between 0 and 1, got 0"),
        ({"keep": "zz*"}, "keep: no linear layer or convolution of the model is called 'zz*'"),
        ({"keep": [1]}, "keep must be a name pattern or several, got [1]"),
        ({"keep": "*"}, "Residual has no filters to prune"),
        ({"seed": "a"}, "seed must be a whole number from 0 up, or a Generator, got 'a'"),
        ({"seed": -1}, "seed must be a whole number from 0 up, or a Generator, got -1"),
        ({"multiple_of": 0}, "multiple_of must be a whole number from 1 up, got 0"),
        ({"multiple_of": 8, "sampler": "random"}, "multiple_of needs a sampler that keeps"),
    ],
)
def test_options(options, said):
    assert said in refused(**options)


def test_models():
    assert "model must be a torch module, got str" in refused("net", [torch.rand(2, 4)], 0.5)
    assert "Linear has no filters to prune" in refused(nn.Linear(4, 3), [torch.rand(2, 4)], 0.5)
    masked = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    mst.sparsify(masked, "2:4")
    message = refused(masked, [torch.rand(2, 16)], 0.5)
    assert "0 has a parametrized weight: prune filters first" in message


def test_parameters_under_two_names():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    message = refused(net, [torch.rand(2, 4)], 0.5)
    assert message.startswith("0.weight and 2.weight are one parameter")


def test_weights_that_are_computed_from_others():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    l1_unstructured(net[1], "weight", 0.5)
    assert refused(net, [torch.rand(2, 4)], 0.5).startswith("1 computes its weight from others")


def test_thresholds_are_settled_first():
    net = mst.dst.convert(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    message = refused(net, [torch.rand(2, 4)], 0.5)
    assert message == "0 has thresholds: call masksolve.torch.dst.finalize before"


@pytest.mark.parametrize("name", ["a1.weight", "norm.running_var"])
def test_weights_and_statistics_that_have_become_nan(name):
    net, batches = usual()
    net.state_dict()[name][0] = np.nan
    assert refused(net, batches, 0.5).startswith(f"{name} holds values that are not finite")
