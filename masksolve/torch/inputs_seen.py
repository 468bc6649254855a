"""A layer's inputs, as Wanda's score sees them go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.torch.masked import Masked

__all__ = ["look", "look_away"]


@dataclass(frozen=True, slots=True)
class _Look:
    """A hook of a layer: copied with it, it sees the copy, and writes to the copy's mask."""

    tensor_name: str
    channel: int
    memory: float

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(
        self, module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Any]
    ) -> None:
        x = inputs[0] if inputs else next(iter(named.values()))
        if not module.training or not x.numel():
            return
        chain: Any = module.parametrizations[self.tensor_name]
        gathered = next(each for each in chain if isinstance(each, Masked)).gathered
        rows = x.movedim(self.channel, -1)
        squares = rows.reshape(-1, rows.shape[-1]).float().square().mean(0)
        before = gathered.latest("wanda", chain.original).to(squares.device)
        # The first to be seen counts whole; what is not finite would never be forgotten.
        after = torch.where(before.any(), torch.lerp(squares, before, self.memory), squares)
        after = torch.where(squares.isfinite().all(), after, before)
        gathered.hold("wanda", after, chain.original)


@dataclass(frozen=True, slots=True)
class _Looking:
    """What takes the hook away again."""

    module: nn.Module
    tensor_name: str

    def remove(self) -> None:
        look_away(self.module, self.tensor_name)


def look(module: nn.Module, tensor_name: str, channel: int, memory: float) -> _Looking:
    """See a layer's inputs from now on, once each, also if it is a copy of one that was seen."""
    look_away(module, tensor_name)
    module.register_forward_pre_hook(_Look(tensor_name, channel, memory), with_kwargs=True)
    return _Looking(module, tensor_name)


def look_away(module: nn.Module, tensor_name: str) -> None:
    """See them no more."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, _Look) and hook.tensor_name == tensor_name:
            del module._forward_pre_hooks[key]
            module._forward_pre_hooks_with_kwargs.pop(key, None)
    if parametrize.is_parametrized(module, tensor_name):
        for masked in module.parametrizations[tensor_name]:
            if isinstance(masked, Masked):
                masked.gathered.forget_weight()
