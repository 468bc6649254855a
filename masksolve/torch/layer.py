"""A weight with a mask, as handles, scores and reports see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.result import MaskResult
from masksolve.torch.distributed import part, whole
from masksolve.torch.layouts import Layout
from masksolve.torch.masked import Masked
from masksolve.torch.results import DeviceResult

__all__ = ["Layer", "masked_layers"]


@dataclass(slots=True, eq=False)
class Layer:
    """A parameter of a module, with its mask.

    Attributes
    ----------
    name : str
        The parameter's full name, ``"encoder.fc1.weight"``.
    module : Module
    tensor_name : str
        The parameter's name in the module.
    masked : Masked
        Holds the mask, its pattern and its layout.
    result : MaskResult, DeviceResult or None
        What the solver said last, on the CPU or on the layer's device.
    seconds : float
        Spent on this layer's masks in all.
    """

    name: str
    module: nn.Module
    tensor_name: str
    masked: Masked
    result: MaskResult | DeviceResult | None = None
    seconds: float = 0.0

    @property
    def original(self) -> nn.Parameter:
        """The dense parameter, which the optimizer sees."""
        return self.module.parametrizations[self.tensor_name].original

    @property
    def weight(self) -> Tensor:
        """The dense weight, detached."""
        return self.original.detach()

    @property
    def gradient(self) -> Tensor | None:
        """The gradient of the dense weight, if there is one."""
        return self.original.grad

    @property
    def layout(self) -> Layout:
        """How the parameter holds its matrices."""
        return self.masked.layout

    @property
    def kind(self) -> type[nn.Module]:
        """The module's type, without what parametrization and sharding made of it."""
        made = ("torch.nn.utils.parametrize", "torch.distributed.")
        return next(k for k in type(self.module).__mro__ if not k.__module__.startswith(made))

    @property
    def mask(self) -> Tensor:
        """The mask, of the parameter's shape."""
        return self.masked.mask

    def release(self, *, masked: bool = True) -> None:
        """Make the parameter plain again, in its old place among the module's.

        With zeros where the mask has them, or as it was before it had one.
        """
        order, parameters = self.masked.order, self.module._parameters
        if masked:
            with torch.no_grad():
                self.original.copy_(part(self.used(), self.original))
        parametrize.remove_parametrizations(self.module, self.tensor_name, leave_parametrized=False)
        for name in sorted(parameters, key=lambda n: order.index(n) if n in order else len(order)):
            parameters[name] = parameters.pop(name)

    @torch.no_grad()
    def used(self) -> Tensor:
        """Return the weight that the layer's products use, in full."""
        weight = whole(self.weight)
        for parametrization in self.module.parametrizations[self.tensor_name]:
            weight = parametrization(weight)
        return weight.detach()


def masked_layers(model: nn.Module) -> Iterator[Layer]:
    """Find the masked weights of a model, in its order."""
    for prefix, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for tensor_name, chain in module.parametrizations.items():
            for masked in chain:
                if isinstance(masked, Masked):
                    yield Layer(f"{prefix}.{tensor_name}".lstrip("."), module, tensor_name, masked)
