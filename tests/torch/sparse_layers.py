"""Sparse layers and their dense twins, for tests on the CPU and on a device."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst

INPUTS, OUTPUTS = 64, 128
CLOSE = {torch.bfloat16: 2e-2, torch.float16: 3e-3}
COMPILING = pytest.mark.filterwarnings(
    # Dynamo does that itself, for every autograd function it meets.
    "ignore:.*autograd.function.Function.* should not be instantiated:DeprecationWarning"
)


def linear(dtype=torch.bfloat16, device="cpu", **options):
    torch.manual_seed(0)
    layer = nn.Linear(INPUTS, OUTPUTS, device=device, dtype=dtype)
    return layer, mst.sparsify(layer, "2:4", **options)


def twins(dtype=torch.bfloat16, device="cpu", **options):
    """The same layer with sparse products, and with dense ones."""
    return [linear(dtype, device, products=way, **options)[0] for way in ("sparse", "dense")]


def stack():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64))


def data(*shape, dtype=torch.bfloat16, device="cpu", grad=True):
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    return made.to(device, dtype).requires_grad_(grad)


def run(layer, x):
    """Return the output, and the gradients by input, weight and bias."""
    layer.zero_grad()
    y = layer(x)
    by_x, *others = torch.autograd.grad(
        y.square().mean(), [x, *layer.parameters()], materialize_grads=True
    )
    return [y.detach(), by_x, *others]


def assert_like(found, expected, tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        scale = theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * scale)


def used(layer):
    return layer.weight.detach()


def assert_uses(layer, x):
    """The output is by the weight as it is, and the bias."""
    torch.testing.assert_close(layer(x), nn.functional.linear(x, used(layer), layer.bias))
