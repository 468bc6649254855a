"""Under static masks pruned weights stay where they are, whatever the optimizer does.

A gradient of zero alone holds nothing still: AdamW decays every weight, momentum goes on, and
Muon makes of a gradient with zeros an update without.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from masksolve.torch.distributed import part
from masksolve.torch.layer import Layer

__all__ = ["hold_static"]


def hold_static(layers: Iterable[Layer], optimizer: torch.optim.Optimizer) -> list[Any]:
    """Undo from now on what an optimizer's steps do to weights that static masks prune.

    Kept weights move as they would. A step takes a copy of the weights with static masks,
    for as long as it lasts.

    Returns
    -------
    list
        The hooks, each with ``remove``; none if no mask is static.
    """
    static = [layer for layer in layers if layer.masked.estimator == "none"]
    if not static:
        return []
    held = _Held(static)
    return [
        optimizer.register_step_pre_hook(held.take),
        optimizer.register_step_post_hook(held.put_back),
    ]


class _Held:
    """Weights as they were before the step that is under way."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self._before: list[tuple[Layer, nn.Parameter, Tensor, int]] = []

    @torch.no_grad()
    def take(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self._before = [
            (layer, weight, weight.detach().clone(), weight._version)
            for layer in self._layers
            if id(weight := layer.original) in stepped
        ]

    @torch.no_grad()
    def put_back(self, *_: Any) -> None:
        for layer, weight, before, version in self._before:
            # What was not touched stays so: a step before the first backward is told by that.
            if weight.grad is not None or weight._version != version:
                weight.copy_(torch.where(part(layer.mask, weight), weight, before))
        self._before = []
