"""What each weight multiplies: its layer's inputs, one row for each product.

A linear layer multiplies its input's last axis, a convolution the patches under its
kernel, packed attention three inputs by a third of its weight each. Rows come in the order
of the weight's lines: (parts, rows, features), or with a single part if all have the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Biased", "Call", "Source", "bias_of", "callers_of", "position_rows", "sources_of"]

Call: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]
"""A call's positional and named arguments."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where some of a weight's parts get their rows.

    Attributes
    ----------
    parts : slice
        Of the weight's matrices.
    pick : callable
        Finds the input tensor in a call, and puts its samples first.
    rows : callable
        Turns such an input, or some of its samples, into rows.
    key : hashable or None
        Equal ones turn the same tensor into the same rows. None: the input is this
        source's own.
    """

    parts: slice
    pick: Callable[[Call], Tensor]
    rows: Callable[[Tensor], Tensor]
    key: Hashable = None


def sources_of(module: nn.Module, tensor_name: str) -> list[Source]:
    """Return where a parameter's parts get their rows; nothing if that is not known."""
    whole = slice(None)
    if isinstance(module, nn.Linear) or _is_input_first(module):
        return [Source(whole, _argument("input", "x"), position_rows, "positions")]
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        key = (
            "patches",
            module.kernel_size,
            module.stride,
            module.dilation,
            module.groups,
            module.padding,
            module.padding_mode,
        )
        pick = _argument("input", ndim=len(module.kernel_size) + 2)
        return [Source(whole, pick, _patches(module), key)]
    if isinstance(module, nn.MultiheadAttention):
        inputs = [
            Source(slice(k, k + 1), _sequence(module, name, k), position_rows)
            for k, name in enumerate(("query", "key", "value"))
        ]
        if tensor_name == "in_proj_weight":
            return inputs
        (k,) = (k for k, name in enumerate("qkv") if tensor_name == f"{name}_proj_weight")
        return [Source(whole, inputs[k].pick, position_rows)]
    if isinstance(module, nn.RNNCellBase):
        pick = _argument("input") if tensor_name == "weight_ih" else _hidden(module)
        return [Source(whole, pick, position_rows)]
    return []


def callers_of(model: nn.Module) -> dict[int, tuple[nn.Module, Source]]:
    """Return the layers whose weights another module uses without calling them.

    By the layer's id: what is called instead, and where its rows come from.
    """
    return {
        id(module.out_proj): (module, Source(slice(None), _attended(module), position_rows))
        for module in model.modules()
        if isinstance(module, nn.MultiheadAttention)
    }


@dataclass(frozen=True, slots=True)
class Biased:
    """The biases that go with a weight's lines: some part of a parameter.

    Attributes
    ----------
    parameter : Parameter
    first : int
        Where they begin in it.
    shape : tuple of int
        (parts, outputs)
    """

    parameter: nn.Parameter
    first: int
    shape: tuple[int, int]

    def view(self, values: Tensor) -> Tensor:
        """Show a tensor of the parameter's shape as the biases of the lines."""
        parts, outputs = self.shape
        return values[self.first : self.first + parts * outputs].view(parts, outputs)


def bias_of(module: nn.Module, tensor_name: str, shape: tuple[int, int]) -> Biased | None:
    """Return the biases that are added to what a weight's lines give, if there are any."""
    name, first = tensor_name.replace("weight", "bias"), 0
    if tensor_name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        name, first = "in_proj_bias", "qkv".index(tensor_name[0]) * shape[0] * shape[1]
    # What is no plain parameter, such as a parametrized bias, stays as it is.
    found = module._parameters.get(name)
    return None if found is None else Biased(found, first, shape)


def _is_input_first(module: nn.Module) -> bool:
    """Tell whether it is GPT-2's linear layer, without importing its library."""
    return any(
        f"{kind.__module__}.{kind.__qualname__}" == "transformers.pytorch_utils.Conv1D"
        for kind in type(module).__mro__
    )


def _argument(*names: str, ndim: int = 0) -> Callable[[Call], Tensor]:
    """Return what finds a call's first argument; without a batch, it becomes one of one."""

    def pick(call: Call) -> Tensor:
        positional, named = call
        x = positional[0] if positional else next(named[name] for name in names if name in named)
        return x.unsqueeze(0) if x.ndim < ndim else x

    return pick


def position_rows(x: Tensor) -> Tensor:
    """Return the rows of what is multiplied along its last axis."""
    return x.reshape(1, -1, x.shape[-1])


def _patches(module: Any) -> Callable[[Tensor], Tensor]:
    """Return what cuts a convolution's input into the patches under its kernel."""
    space, groups = len(module.kernel_size), module.groups
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    around: list[int] = []
    for axis in reversed(range(space)):
        reach = module.dilation[axis] * (module.kernel_size[axis] - 1)
        if module.padding == "same":
            around += [reach // 2, reach - reach // 2]
        else:
            side = 0 if module.padding == "valid" else module.padding[axis]
            around += [side, side]

    def rows(x: Tensor) -> Tensor:
        x = functional.pad(x, around, mode=mode)
        for axis in range(space):
            dilation, size = module.dilation[axis], module.kernel_size[axis]
            windows = x.unfold(2 + axis, dilation * (size - 1) + 1, module.stride[axis])
            x = windows[..., ::dilation]
        # (samples, groups, channels, *space, *kernel)
        x = x.unflatten(1, (groups, -1)).movedim(1, 0).movedim(2, 2 + space)
        return x.flatten(2 + space).flatten(1, -2)

    return rows


def _sequence(module: nn.MultiheadAttention, name: str, place: int) -> Callable[[Call], Tensor]:
    def pick(call: Call) -> Tensor:
        positional, named = call
        x = positional[place] if place < len(positional) else named[name]
        return _samples_first(module, x)

    return pick


def _samples_first(module: nn.MultiheadAttention, x: Tensor) -> Tensor:
    if x.ndim == 2:
        return x.unsqueeze(0)
    return x if module.batch_first else x.transpose(0, 1)


def _attended(module: nn.MultiheadAttention) -> Callable[[Call], Tensor]:
    """Return what finds the input of attention's last product.

    Nobody hands it out, so the last product becomes the identity for another run.
    """

    def pick(call: Call) -> Tensor:
        positional, named = call
        last = module.out_proj
        names = [name for name in ("weight", "bias") if getattr(last, name) is not None]
        held = {name: getattr(last, name).data for name in names}
        try:
            for name in names:
                now = held[name]
                getattr(last, name).data = (
                    torch.eye(len(now), dtype=now.dtype, device=now.device)
                    if name == "weight"
                    else torch.zeros_like(now)
                )
            x, _ = module.forward(*positional, **named)  # not the call: it has our hook
        finally:
            for name in names:
                getattr(last, name).data = held[name]
        return _samples_first(module, x)

    return pick


def _hidden(module: Any) -> Callable[[Call], Tensor]:
    """Return what finds the state that a recurrent cell comes from."""

    def pick(call: Call) -> Tensor:
        positional, named = call
        x = positional[0] if positional else named["input"]
        state = positional[1] if len(positional) > 1 else named.get("hx")
        if isinstance(state, tuple):
            state = state[0]
        if state is None:
            state = x.new_zeros(*x.shape[:-1], module.hidden_size)
        return state

    return pick
