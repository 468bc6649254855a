"""Adam on one layer, against a loop written from the paper: autograd, masks after each step."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import masksolve.torch as mst
from tests.torch._adaprune.models import assert_masked, related


def as_published(layer, mask, inputs, *, iterations, size, rates, seed):
    """Run the paper's loop on a copy of a layer: samples are the first axis of the inputs."""
    outputs = layer(inputs).detach()
    new = type(layer)(layer.in_features, layer.out_features)
    weight = layer.weight.detach()
    lost = (weight * ~mask).unflatten(1, (-1, 8)).sum(-1, keepdim=True)
    share = (lost / mask.unflatten(1, (-1, 8)).sum(-1, keepdim=True)).expand(-1, -1, 8)
    new.weight.data = (weight + share.flatten(1)) * mask
    new.bias.data = layer.bias.detach().clone()
    groups = zip(new.parameters(), rates, strict=True)
    optimizer = torch.optim.Adam([{"params": [p], "lr": rate} for p, rate in groups])
    random = torch.Generator().manual_seed(seed)
    for _ in range(iterations):
        which = torch.randperm(len(inputs), generator=random)[:size]
        loss = functional.mse_loss(new(inputs[which]), outputs[which])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        new.weight.data *= mask
    return new


@pytest.mark.parametrize("shape", [(60, 16), (40, 3, 16)])
def test_it_is_what_the_paper_does(shape):
    torch.manual_seed(0)
    layer, inputs = nn.Linear(16, 24), related(*shape)
    model = nn.Sequential(nn.Linear(16, 24))
    model[0].load_state_dict(layer.state_dict())
    mask = mst.solve_mask(layer.weight, "4:8")
    asked = {"iterations": 120, "rates": (2e-3, 2e-2), "seed": 7}
    expected = as_published(layer, mask, inputs, size=20, **asked)
    pruned = mst.adaprune(model, inputs.split(20), "4:8", optimizer="adam", batch_size=20, **asked)
    assert torch.equal(pruned.masks["0.weight"], mask)
    torch.testing.assert_close(model[0].weight, expected.weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model[0].bias, expected.bias, rtol=1e-4, atol=1e-4)
    row = pruned.layers[0]
    with torch.no_grad():
        target = functional.linear(inputs, layer.weight)
        error = (layer(inputs) - model[0](inputs)).square().sum() / target.square().sum()
    assert row.error == pytest.approx(float(error), rel=1e-3)
    assert row.error < row.one_shot


def test_samples_of_different_lengths():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(16, 24))
    batches = [related(4, length, 16, seed=length) for length in (3, 5, 9)]
    asked = {"optimizer": "adam", "iterations": 200, "batch_size": 6, "rates": (5e-3, 1e-2)}
    pruned = mst.adaprune(model, batches, "4:8", **asked)
    (row,) = pruned.layers
    assert row.rows == 4 * (3 + 5 + 9)
    assert row.error < row.one_shot


def test_masks_may_change_on_the_way_and_stay_valid():
    torch.manual_seed(2)
    layer = nn.Linear(32, 32)
    inputs = related(300, 32)
    found = {}
    for remask in (0, 10):
        model = nn.Sequential(nn.Linear(32, 32))
        model[0].load_state_dict(layer.state_dict())
        asked = {"optimizer": "adam", "remask": remask, "iterations": 300, "rates": (5e-3, 1e-2)}
        pruned = mst.adaprune(model, [inputs], "2:4", **asked)
        assert_masked(model, pruned.masks, "2:4")
        found[remask] = pruned.layers[0]
    assert found[0].moved == 0 < found[10].moved
    assert found[10].error < found[0].error < found[0].one_shot


def test_the_seed_settles_it():
    def run(seed):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(16, 16))
        mst.adaprune(model, [related(90, 16)], "4:8", optimizer="adam", iterations=30, seed=seed)
        return model[0].weight

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_biases_may_be_left_alone():
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(16, 16))
    bias = model[0].bias.clone()
    mst.adaprune(model, [related(90, 16)], "4:8", optimizer="adam", iterations=30, tune_bias=False)
    assert torch.equal(model[0].bias, bias)
