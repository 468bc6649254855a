"""A weight that is worked out can be set by whoever sets the ``data`` of weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from masksolve.errors import InvalidInput

__all__ = ["writable"]


def writable(used: Tensor, original: Tensor) -> Tensor:
    """Let ``module.weight.data = values`` reach the parameter that a weight is worked out from.

    Adapters are merged so (``weight.data += delta``, ``weight.data.copy_(sum)``): otherwise the
    sum would be lost with the tensor that the module handed out. Compilers, tracers and
    transforms, which follow tensors of their own, get the tensor as it is.
    """
    if (
        type(original) is not nn.Parameter
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
        or used.is_inference()
    ):
        return used
    shown = used.as_subclass(Writable)
    shown.original = original
    return shown


class Writable(Tensor):
    """Like a tensor in all else: what is computed from it, copied or pickled is a plain one."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    original: nn.Parameter | None = None

    @property
    def data(self) -> Tensor:
        """The values; setting them, or writing to them, sets the dense weight."""
        values = Tensor.data.__get__(self).as_subclass(Values)
        values.original = self.original
        return values

    @data.setter
    def data(self, values: Tensor) -> None:
        if self.original is None:
            Tensor.data.__set__(self, values)
            return
        if values.shape != self.original.shape:
            raise InvalidInput(
                f"data has shape {tuple(values.shape)}: the masked weight has "
                f"{tuple(self.original.shape)}; resize it before sparsify, or after finalize"
            )
        with torch.no_grad():
            self.original.copy_(values)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return repr(self.as_subclass(Tensor))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(Tensor).__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.as_subclass(Tensor).__deepcopy__(memo)


class Values(Writable):
    """The data of a weight: what is written to it in place is set; views of it are plain."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            given = [one for one in (*args, *named.values()) if isinstance(one, cls)]
            before = [one._version for one in given]
            outcome = function(*args, **named)
            for one, version in zip(given, before, strict=True):
                if one._version != version and one.original is not None:
                    with torch.no_grad():
                        one.original.copy_(one)
        return outcome

    def detach(self) -> Tensor:
        """Keep the type, as ``nn.Parameter(data)`` asks of it, and nothing else."""
        return super().detach().as_subclass(Values)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_is_param":  # so nn.Parameter marks what it makes of other types
            self.__class__: Any = nn.Parameter
        else:
            super().__setattr__(name, value)
