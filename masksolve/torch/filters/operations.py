"""How functions and methods treat channels: which leave them, move them, or tie them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from masksolve.torch.filters.ties import Ids, Ties

__all__ = [
    "BINARY",
    "ELEMENTWISE",
    "MOVING",
    "REDUCING",
    "Flow",
    "Obstacle",
    "combine",
    "move",
    "operation",
    "reduce",
    "stay",
]

BINARY = {f"{i}{name}" for name in ("add", "sub", "mul", "truediv") for i in ("", "i")}
BINARY |= {"div", "maximum", "minimum"}
SHAPING = {"flatten", "view", "reshape", "squeeze", "unsqueeze", "getitem"}
JOINING = {"cat", "concat", "concatenate"}
MOVING = SHAPING | JOINING | {"permute", "transpose", "swapaxes", "movedim", "moveaxis"}
REDUCING = {"mean", "sum", "amax", "amin"}
RECTIFIERS = {"relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"}
SIGMOIDS = {"sigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid", "softsign", "logsigmoid"}
ARITHMETIC = {"neg", "abs", "exp", "log", "sqrt", "rsqrt", "square", "pow", "clamp", "clip"}
COPIES = {"contiguous", "clone", "detach", "float", "double", "half", "bfloat16", "to"}
BY_DIMENSION = ("dropout", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool")
ELEMENTWISE = RECTIFIERS | SIGMOIDS | ARITHMETIC | COPIES
ELEMENTWISE |= {f"{name}{d}d" for name in BY_DIMENSION for d in (1, 2, 3)}
ELEMENTWISE |= {"softplus", "dropout", "alpha_dropout", "feature_dropout", "interpolate", "pad"}
"""Work on every element, or at least on every channel, alone."""


class Obstacle(Exception):
    """An operation does something to channels that cannot be followed; says what."""


@dataclass(frozen=True)
class Flow:
    """The channels of a tensor.

    Attributes
    ----------
    ids : Ids
    axis : int
        Which axis counts them.
    """

    ids: Ids
    axis: int

    def spread(self, shape: Sequence[int]) -> Tensor:
        """Return a tensor of a shape that holds the channel's number everywhere."""
        sides = [1] * len(shape)
        sides[self.axis] = len(self.ids)
        return torch.from_numpy(self.ids).view(sides).expand(shape)


def operation(node: fx.Node) -> str:
    """Name what a node does: "add" for ``torch.add``, ``+=`` aside, and ``x.add_``."""
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    return str(name).rstrip("_")


def stay(flow: Flow, result: Tensor) -> Flow:
    """Follow what works on every channel alone."""
    if not isinstance(result, Tensor):
        raise Obstacle("makes several tensors of one")
    if result.ndim <= flow.axis or result.shape[flow.axis] != len(flow.ids):
        raise Obstacle("changes the number of channels")
    return flow


def reduce(flow: Flow, node: fx.Node, value: Tensor, result: Tensor) -> Flow:
    """Follow a mean or the like over other axes."""
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    gone = [axes] if isinstance(axes, int) else axes
    if gone is None or flow.axis in (axis % value.ndim for axis in gone):
        raise Obstacle("mixes channels")
    before = sum(axis % value.ndim < flow.axis for axis in gone)
    kept = result.ndim == value.ndim
    return Flow(flow.ids, flow.axis - (0 if kept else before))


def combine(tensors: Sequence[tuple[Flow | None, Tensor]], ties: Ties) -> Flow:
    """Follow a sum or product of tensors: their channels are tied.

    What is as wide and has no channels to prune lets the others stay, too.
    """
    flow, first = next((f, tensor) for f, tensor in tensors if f is not None)
    place = flow.axis - first.ndim  # from the right, as shapes are broadcast
    for other, tensor in tensors:
        if other is flow:
            continue
        if other is None:
            if tensor.ndim >= -place and tensor.shape[place] > 1:
                ties.pin(flow.ids)
        elif other.axis - tensor.ndim != place:
            raise Obstacle("lays channels of one tensor beside another axis of the other")
        else:
            ties.tie(flow.ids, other.ids)
    return Flow(flow.ids, max(tensor.ndim for _, tensor in tensors) + place)


def move(
    labelled: tuple[Any, Any], call: Callable[..., Tensor], result: Tensor, sizes: Any
) -> Flow:
    """Follow what only moves elements about, by moving their channels' numbers.

    Parameters
    ----------
    labelled : tuple and dict
        The arguments, with channels' numbers in place of tensors.
    call : callable
    result : Tensor
        What it makes of the tensors themselves.
    sizes : sequence
        Sizes that the network's code asks for; numbers are written there, nodes computed.
    """
    arguments, options = labelled
    numbers = call(*arguments, **options)
    flow = _along_one_axis(numbers)
    if sizes:
        asked = sizes[0] if isinstance(sizes[0], tuple | list) else sizes
        size = asked[flow.axis] if flow.axis < len(asked) else -1
        if isinstance(size, int) and size != -1:
            raise Obstacle(f"has their number, {size}, written into the code")
    given = _tensors([arguments, list(options.values())])
    came = [_along_one_axis(tensor).ids for tensor in given]
    together = np.concatenate(came)
    if not np.array_equal(np.unique(flow.ids), np.unique(together)):
        raise Obstacle("takes only some channels")
    if len(flow.ids) == len(together) and not np.array_equal(flow.ids, together):
        raise Obstacle("puts channels into another order")
    return flow


def _along_one_axis(numbers: Tensor) -> Flow:
    """Find the axis along which channels lie."""
    for axis in range(numbers.ndim):
        line = numbers
        for other in range(numbers.ndim):
            if other != axis:
                line = line.narrow(other, 0, 1)
        if bool((numbers == line).all()):
            return Flow(line.reshape(-1).numpy().astype(np.int64), axis)
    raise Obstacle("spreads channels over several axes")


def _tensors(arguments: Any) -> list[Tensor]:
    if isinstance(arguments, Tensor):
        return [arguments]
    if isinstance(arguments, tuple | list):
        return [tensor for a in arguments for tensor in _tensors(a)]
    return []
