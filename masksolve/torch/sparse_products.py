"""Products with a compressed 2:4 weight: ``x @ W.T`` and, for x's gradient, ``g @ W``.

Both run on sparse tensor cores, each with a compressed tensor of its own, W's and W.T's. The
third product of a training step, the weight's gradient ``g.T @ x``, is dense by nature: both
its operands are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from masksolve.torch.semi_structured import compress

__all__ = ["Compressed", "sparse_linear"]


class Compressed:
    """A weight that keeps two of any four both ways, compressed for either product.

    Parameters
    ----------
    state : object
        What tells this weight, as it is now, from what it may become.

    Attributes
    ----------
    spent : bool
        Whether the weight has got a gradient since, and so is about to change, in ways
        that torch need not count.
    """

    def __init__(self, state: Any) -> None:
        self.state, self.spent = state, False
        self.forward: Any = None
        self.backward: Any = None

    def serves(self, backward: bool) -> bool:
        """Tell whether what is needed was compressed."""
        return self.forward is not None and (self.backward is not None or not backward)

    def fill(self, weight: Tensor, backward: bool) -> None:
        """Compress what is needed and not there yet."""
        if self.forward is None:
            self.forward = compress(weight)
        if backward and self.backward is None:
            self.backward = compress(weight.t())


def sparse_linear(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, compressed: Compressed | None
) -> Tensor:
    """Return ``x @ weight.T + bias``; both products with x and its gradient run sparse.

    Parameters
    ----------
    x : Tensor, (..., inputs)
        Of float16 or bfloat16, not empty.
    weight : Tensor, (outputs, inputs), optional
        Zero where it is pruned. It may be left out if it is compressed and gets no gradient.
    bias : Tensor, (outputs,), optional
        All of one dtype.
    compressed : Compressed, optional
        Of the weight; None compresses it in each product anew, as part of it, which
        is what a compiled or captured graph takes.
    """
    found: Tensor = _SparseLinear.apply(x, weight, bias, compressed)
    return found


class _SparseLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        compressed: Compressed | None,
    ) -> Tensor:
        ctx.compressed = compressed
        # What is compressed already need not be kept dense for the other product.
        ctx.save_for_backward(x, weight if compressed is None else None)
        return _product(x, weight if compressed is None else compressed.forward, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        compressed = ctx.compressed
        by_x = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            turned = weight.t() if compressed is None else compressed.backward
            by_x = _product(gradient, turned, None)
        gradient = gradient.reshape(-1, gradient.shape[-1])
        if ctx.needs_input_grad[1]:
            by_weight = gradient.t() @ x.reshape(-1, x.shape[-1])
            if compressed is not None:
                compressed.spent = True
        if ctx.needs_input_grad[2]:
            by_bias = gradient.sum(0)
        return by_x, by_weight, by_bias, None


def _product(x: Tensor, weight: Any, bias: Tensor | None) -> Tensor:
    """Multiply by a compressed weight, or by a dense one that is compressed on the way."""
    rows = x.reshape(-1, x.shape[-1])
    multiply = torch.ops.masksolve.linear_2_4 if type(weight) is Tensor else _multiply
    found: Tensor = multiply(rows, weight, bias)
    return found if x.ndim == 2 else found.view(*x.shape[:-1], found.shape[-1])


def _multiply(x: Tensor, sparse: Any, bias: Tensor | None) -> Tensor:
    """Multiply rows; torch pads their number to what its kernels take."""
    # Contiguous, as an expanded gradient is not: kernels read other strides as a transpose.
    return functional.linear(x.contiguous(), sparse, bias)


@torch.library.custom_op("masksolve::linear_2_4", mutates_args=())
def _linear_2_4(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compress and multiply in one operation, into which a compiler does not look."""
    return _multiply(x, compress(weight), bias).contiguous()


@_linear_2_4.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0])
