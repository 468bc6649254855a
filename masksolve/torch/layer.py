"""A weight with a mask, as handles, scores and reports see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput
from masksolve.result import MaskResult
from masksolve.torch.distributed import part, whole
from masksolve.torch.inputs_seen import look_away
from masksolve.torch.layouts import Layout
from masksolve.torch.masked import Masked
from masksolve.torch.names import Place, join
from masksolve.torch.results import DeviceResult
from masksolve.torch.unfit import offloaded

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
    places : list of Place
        Where the parameter is held: under several names, or by several modules that share it.
    """

    name: str
    module: nn.Module
    tensor_name: str
    masked: Masked
    result: MaskResult | DeviceResult | None = None
    seconds: float = 0.0
    places: list[Place] = field(default_factory=list)

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """Take what was pickled, also before layers knew all their places."""
        for name, value in state[1].items():
            setattr(self, name, value)
        if "places" not in state[1]:
            self.places = [Place(self.name, self.module, self.tensor_name)]

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

    def refuse_offloaded(self) -> None:
        """Refuse a weight whose numbers are elsewhere."""
        chain: Any = self.module.parametrizations[self.tensor_name]
        why = offloaded(chain)
        if why is not None:
            raise InvalidInput(f"{self.name} cannot be read: {why}")

    def release(self, *, masked: bool = True) -> None:
        """Make the parameter plain again, in its old place among the module's.

        With zeros where the mask has them, or as it was before it had one.
        """
        order = self.masked.order
        if masked:
            with torch.no_grad():
                self.original.copy_(part(self.used(), self.original))
        for module, tensor_name in dict.fromkeys((p.module, p.tensor_name) for p in self.places):
            look_away(module, tensor_name)
            parametrize.remove_parametrizations(module, tensor_name, leave_parametrized=False)
            held = module._parameters
            for name in sorted(held, key=lambda n: order.index(n) if n in order else len(order)):
                held[name] = held.pop(name)

    @torch.no_grad()
    def used(self) -> Tensor:
        """Return the weight that the layer's products use, in full."""
        self.refuse_offloaded()
        weight = whole(self.weight)
        for parametrization in self.module.parametrizations[self.tensor_name]:
            weight = parametrization(weight)
        return weight.detach()


def masked_layers(model: nn.Module) -> list[Layer]:
    """Find the masked weights of a model, in its order; one that is shared comes once."""
    layers: dict[Masked, Layer] = {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        if not parametrize.is_parametrized(module):
            continue
        for tensor_name, chain in module.parametrizations.items():
            for masked in chain:
                if isinstance(masked, Masked):
                    name = join(prefix, tensor_name)
                    layer = layers.setdefault(masked, Layer(name, module, tensor_name, masked))
                    layer.places.append(Place(name, module, tensor_name))
    return list(layers.values())
