"""How modules treat channels: those that mix them, work on each alone, or know none."""

from __future__ import annotations

import numpy as np
from torch import nn

from masksolve.torch.filters.operations import Flow
from masksolve.torch.filters.ties import FIXED, Ids, Ties
from masksolve.torch.filters.traced import Uses

__all__ = ["CHANNELWISE", "MIXING", "follow_module", "is_plain"]


def _by_dimension(*names: str) -> tuple[type[nn.Module], ...]:
    return tuple(getattr(nn, f"{name}{d}d") for name in names for d in (1, 2, 3))


CONVOLUTIONS = _by_dimension("Conv")
MIXING = (nn.Linear, *CONVOLUTIONS)
CHANNELWISE = (*_by_dimension("BatchNorm", "InstanceNorm"), nn.SyncBatchNorm, nn.PReLU)
"""With parameters of their own for each channel."""

DROPOUTS = (nn.Dropout, *_by_dimension("Dropout"), nn.AlphaDropout, nn.FeatureAlphaDropout)
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU)
SIGMOIDS = (nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Tanhshrink)
SOFTENED = (nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Softsign, nn.Softshrink)
POOLS = _by_dimension("MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool")
PADDINGS = _by_dimension("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad")
SCALINGS = (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
OTHERS = (nn.Identity, nn.Hardshrink, nn.Threshold, nn.LPPool1d, nn.LPPool2d)
PLAIN = (*DROPOUTS, *RECTIFIERS, *SIGMOIDS, *SOFTENED, *POOLS, *PADDINGS, *SCALINGS, *OTHERS)
"""Work on every channel alone, and need not know how many there are."""


def is_plain(module: nn.Module) -> bool:
    """Tell whether a module works on every channel alone, without parameters."""
    return isinstance(module, PLAIN)


def follow_module(module: nn.Module, flow: Flow | None, ties: Ties, name: str) -> Uses:
    """Note where a module counts channels, and number those that it makes.

    Parameters
    ----------
    module : Module
        One of MIXING or CHANNELWISE.
    flow : Flow or None
        What comes in; None if all of it is fixed.
    ties : Ties
    name : str
        The module's.
    """
    if isinstance(module, nn.Linear):
        inputs = _incoming(flow, module.in_features)
        outputs = _made(ties, module.out_features, name)
        axes = {"weight": {0: outputs, 1: inputs}, "bias": {0: outputs}}
        numbers = {"in_features": inputs, "out_features": outputs}
        return Uses(axes, numbers, inputs, outputs, mixes=True)
    if isinstance(module, CONVOLUTIONS):
        inputs = _incoming(flow, module.in_channels)
        follow = _depthwise if 1 < module.groups == module.in_channels else _convolution
        return follow(module, inputs, ties, name)
    if isinstance(module, nn.PReLU):
        if module.num_parameters == 1:
            ids = _incoming(flow, 0)
            return Uses({}, {}, ids, ids)
        ids = _incoming(flow, module.num_parameters)
        return Uses({"weight": {0: ids}}, {"num_parameters": ids}, ids, ids)
    ids = _incoming(flow, module.num_features)
    names = ("weight", "bias", "running_mean", "running_var")
    return Uses({n: {0: ids} for n in names}, {"num_features": ids}, ids, ids)


def _convolution(module: nn.Module, inputs: Ids, ties: Ties, name: str) -> Uses:
    """Channels of one place in every group go together, so that groups stay equal."""
    groups = module.groups
    outputs = _made(ties, module.out_channels, name)
    for ids in (inputs, outputs) if groups > 1 else ():
        first, *others = ids.reshape(groups, -1)
        for other in others:
            ties.tie(first, other)
    columns = inputs[: len(inputs) // groups]
    axes = {"weight": {0: outputs, 1: columns}, "bias": {0: outputs}}
    numbers = {"in_channels": inputs, "out_channels": outputs}
    return Uses(axes, numbers, inputs, outputs, mixes=True)


def _depthwise(module: nn.Module, inputs: Ids, ties: Ties, name: str) -> Uses:
    """Each channel has filters of its own, which go with it."""
    outputs = np.repeat(inputs, module.out_channels // module.groups)
    axes = {"weight": {0: outputs}, "bias": {0: outputs}}
    numbers = {"in_channels": inputs, "groups": inputs, "out_channels": outputs}
    return Uses(axes, numbers, inputs, outputs)


def _incoming(flow: Flow | None, count: int) -> Ids:
    return np.full(count, FIXED, dtype=np.int64) if flow is None else flow.ids


def _made(ties: Ties, count: int, name: str) -> Ids:
    """Give numbers to what a layer makes; a single filter must stay."""
    return np.full(1, FIXED, dtype=np.int64) if count == 1 else ties.new(count, name)
