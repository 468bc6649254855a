"""Activations that are computed again in the backward pass."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import masksolve.torch as mst
from masksolve.torch.masked import ESTIMATORS
from tests.torch.states import assert_same


class Net(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 16))
        self.how = how

    def forward(self, x):
        return self.inner(x) if self.how is None else checkpoint(self.inner, x, **self.how)


def trained(how, **options):
    torch.manual_seed(0)
    model = Net(how)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    handle = mst.sparsify(model, "2:4", decay=0.01, optimizer=optimizer, **options)
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        x = torch.randn(4, 16, generator=generator).requires_grad_()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()], handle.masks


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("refresh_every", [1, 3])
@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_checkpointed_activations(estimator, absorb_mean, refresh_every, use_reentrant):
    options = {"estimator": estimator, "absorb_mean": absorb_mean, "refresh_every": refresh_every}
    weights, masks = trained(None, **options)
    again, again_masks = trained({"use_reentrant": use_reentrant}, **options)
    torch.testing.assert_close(again, weights)
    assert_same(masks, again_masks)
