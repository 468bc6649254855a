"""Modules that take one matrix after another from a stack mask the stack once a call."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from masksolve.torch.masked import Masked

__all__ = ["mask_once"]


def mask_once(module: nn.Module) -> None:
    """Let a parametrized module compute its masked stacks once in each forward pass.

    Experts read ``self.weight[k]`` in a loop over k: without this each of them would mask
    the weights of all.
    """
    chains = module.parametrizations.values()
    links = [link for chain in chains for link in chain if isinstance(link, Masked)]
    if all(0 in link.layout.axes for link in links):
        return
    kind: Any = type(module)  # made for this module alone, by its parametrization
    plain = kind.__bases__[0].forward

    @wraps(plain)
    def forward(self: nn.Module, *args: Any, **named: Any) -> Any:
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # neither takes the cache
            return plain(self, *args, **named)
        with parametrize.cached():
            return plain(self, *args, **named)

    kind.forward = forward
