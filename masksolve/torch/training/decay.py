"""Masked decay: what joins the gradients just before a step of the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.torch.distributed import part
from masksolve.torch.layer import Layer
from masksolve.torch.masked import pruned
from masksolve.torch.training.optimizers import trained_by

__all__ = ["decay_gradients", "decays", "refuse_closure"]


def decays(layers: Sequence[Layer]) -> bool:
    """Tell whether any of the layers decays so."""
    return any(layer.masked.estimator == "masked_decay" for layer in layers)


def refuse_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse a step, of these arguments, that computes gradients within."""
    # The arguments begin with the optimizer itself.
    closure = args[1] if len(args) > 1 else kwargs.get("closure")
    if closure is not None:
        raise InvalidInput(
            "masked_decay adds to gradients before the optimizer's step, and a closure "
            "computes them within: call backward before step"
        )


@torch.no_grad()
def decay_gradients(layers: Sequence[Layer], optimizer: Any, scale: Tensor | None) -> None:
    """Add to the gradients of what an optimizer trains; a loss scale may be in them still."""
    trained = {id(parameter) for parameter in trained_by(optimizer)}
    for layer in layers:
        weight = layer.original
        decaying = layer.masked.estimator == "masked_decay" and weight.grad is not None
        if decaying and id(weight) in trained:
            lost = pruned(weight, part(layer.mask, weight))
            lost = lost if scale is None else lost * scale
            weight.grad.add_(lost, alpha=layer.masked.decay)
