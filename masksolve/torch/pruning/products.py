"""Products of a block's weights, as torch is asked for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

__all__ = ["Key", "Product", "Weights", "is_addition", "same_memory"]

_MATMUL = frozenset({"matmul", "__matmul__", "mm", "bmm"})
_ADD = frozenset({"add", "__add__", "__radd__", "add_", "__iadd__"})

Key = tuple[str, int | None]
"""A matrix of a block: its parameter, and which of a stack."""


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product of inputs with one matrix, or with each of a stack.

    Attributes
    ----------
    name : str
        Of the parameter.
    index : int or None
        Which matrix of a stack; None: the parameter is one matrix, or all of a stack at once.
    inputs : Tensor, (..., features)
    outputs : int
    inputs_first : bool
        Whether the matrix is (inputs, outputs).
    bias : str or None
        Name of the parameter that is added at once.
    whole : bool
        Whether it is with all matrices of a stack, (matrices, rows, features).
    """

    name: str
    index: int | None
    inputs: Tensor
    outputs: int
    inputs_first: bool
    bias: str | None
    whole: bool

    @property
    def features(self) -> int:
        """How many inputs the matrix has."""
        return int(self.inputs.shape[-1])


class Weights:
    """The parameters of a block, known by where they lie, and what stands in for some.

    Parameters
    ----------
    parameters : mapping of str to Tensor
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self.parameters = dict(parameters)
        self._names = {
            tensor.untyped_storage().data_ptr(): name for name, tensor in parameters.items()
        }

    def name(self, tensor: Any) -> str | None:
        """Return the name of the parameter that a tensor is, or is a view of."""
        if not isinstance(tensor, Tensor) or tensor.device.type == "meta":
            return None
        return self._names.get(tensor.untyped_storage().data_ptr())

    def product(self, func: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> Product | None:
        """Tell whether a call is a product with a whole matrix of theirs, and which."""
        bias: Any = None
        if func is F.linear:
            inputs, weight = args[0], args[1] if len(args) > 1 else named.get("weight")
            bias = args[2] if len(args) > 2 else named.get("bias")
            outputs_last = False
        elif func is torch.addmm and len(args) == 3:
            (bias, inputs, weight), outputs_last = args, True
        elif getattr(func, "__name__", "") in _MATMUL and len(args) == 2:
            (inputs, weight), outputs_last = args, True
        else:
            return None
        name = self.name(weight)
        return None if name is None else self._found(name, inputs, weight, bias, outputs_last)

    def _found(
        self, name: str, inputs: Tensor, weight: Tensor, bias: Any, outputs_last: bool
    ) -> Product | None:
        held, whole = self.parameters[name], weight.ndim == 3
        sides = held.shape[-2:]
        if held.ndim not in (2, 3) or weight.ndim > held.ndim or 0 in weight.shape:
            return None
        if weight.numel() != (held.numel() if whole or held.ndim == 2 else sides.numel()):
            return None
        if sides[0] != sides[1]:
            straight = weight.shape[-2:] == sides
        else:
            straight = weight.stride()[-2:] == held.stride()[-2:]
        index = None
        if held.ndim == 3 and not whole:
            index = (weight.storage_offset() - held.storage_offset()) // held.stride(0)
        outputs = weight.shape[-1] if outputs_last else weight.shape[-2]
        inputs_first = straight if outputs_last else not straight
        return Product(name, index, inputs, outputs, inputs_first, self.name(bias), whole)


def same_memory(one: Any, other: Tensor) -> bool:
    """Tell whether something is a tensor of the same entries in the same memory."""
    return (
        isinstance(one, Tensor)
        and one.data_ptr() == other.data_ptr()
        and one.numel() == other.numel()
    )


def is_addition(func: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    """Tell whether a call adds two tensors of one shape, as they are."""
    return (
        getattr(func, "__name__", "") in _ADD
        and len(args) == 2
        and named.get("alpha", 1) == 1
        and all(isinstance(one, Tensor) for one in args)
        and args[0].shape == args[1].shape
    )
