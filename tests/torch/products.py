"""The matrices that a layer's products really use, found by watching it, not by its type.

Linear maps are probed: inputs of one 1 each give the forward product's matrix, cotangents
of one 1 each the input-gradient product's. What else a layer computes is overheard: the
second operand of each product of matrices while it runs. Either way an operand is of shape
(summed over, others), so that N:M speaks of its columns.
"""

from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def forward_operands(layer, channels, size=(), groups=1):
    """Return (input, output) matrices, for all pairs of positions that a kernel joins."""
    probes = torch.eye(channels * prod(size)).reshape(-1, channels, *size)
    with torch.no_grad():
        found = layer(probes) - layer(torch.zeros_like(probes))
    return _pieces(found.reshape(channels, prod(size), found.shape[1], -1), groups)


def gradient_operands(layer, channels, size=(), groups=1):
    """Return (output, input) matrices likewise, from the gradient by the layer's input."""
    shape = layer(torch.zeros(1, channels, *size)).shape[1:]
    x = torch.zeros(prod(shape), channels, *size, requires_grad=True)
    cotangents = torch.eye(len(x)).reshape(-1, *shape)
    (found,) = torch.autograd.grad(layer(x), x, cotangents)
    return _pieces(found.reshape(shape[0], prod(shape[1:]), channels, -1), groups)


def _pieces(between, groups):
    """Cut (channels, positions, channels, positions) into matrices, a group at a time."""
    a, p, b, q = between.shape
    blocks = between.reshape(groups, a // groups, p, groups, b // groups, q)
    blocks = blocks.permute(2, 5, 0, 3, 1, 4).flatten(0, 1)
    off = ~torch.eye(groups, dtype=torch.bool)
    assert not blocks[:, off].any()  # groups do not mix
    pieces = blocks[:, ~off].flatten(0, 1)
    return pieces[pieces.flatten(1).any(dim=1)]


class Overhear(TorchDispatchMode):
    """Keeps the second operands of all products of two matrices, and what else is asked for.

    Products of three-dimensional operands are those of queries, keys and values with each
    other, which hold no weights.
    """

    def __init__(self):
        super().__init__()
        self.operands = []
        self.fused = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if name in ("aten.mm.default", "aten.addmm.default"):
            self.operands.append(args[-1].clone())
        elif "multi_head_attention" in name or "encoder_layer" in name:
            self.fused[name] = [a for a in args if isinstance(a, torch.Tensor)]
        return function(*args, **(kwargs or {}))


def overhear(layer, *inputs, call=None):
    """Return the second operands of a layer's forward and of its input-gradient products.

    Parameters are frozen meanwhile, so that no weight's gradient is computed. `call`: how
    to run the layer, if not by calling it.
    """
    frozen = [p for p in layer.parameters() if p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    inputs = [x.clone().requires_grad_() for x in inputs]
    with Overhear() as heard:
        found = (call or layer)(*inputs)
        forward, heard.operands = heard.operands, []
        outputs = [y for y in (found if isinstance(found, tuple) else (found,)) if y.requires_grad]
        torch.autograd.backward(outputs, [torch.randn_like(y) for y in outputs])
    for parameter in frozen:
        parameter.requires_grad_(True)
    return forward, heard.operands


def keeps(operands, n, m):
    """Check that every column keeps n of each m consecutive; at most n of a shorter rest."""
    assert len(operands)
    for operand in operands:
        whole = len(operand) // m * m
        lines = operand[:whole].unflatten(0, (-1, m)).count_nonzero(1)
        assert (lines == n).all()
        assert (operand[whole:].count_nonzero(0) <= n).all()
