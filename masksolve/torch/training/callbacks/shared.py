"""What the callbacks share."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.training.decay import decay_gradients
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.optimizers import inside, trained_by
from masksolve.torch.training.static import hold_static

__all__ = ["add_decay", "check_handle", "check_model", "count_step", "hold", "latest"]


def check_handle(handle: object, callback: str) -> None:
    """Refuse what is no handle to masks, such as a pattern or the model itself."""
    if not isinstance(handle, Handle):
        shown = f"a {type(handle).__name__}"
        if isinstance(handle, str | Pattern):
            shown = f"the pattern {str(handle)!r}"
        elif isinstance(handle, nn.Module):
            shown = f"a model, {type(handle).__name__}"
        raise InvalidInput(
            f"{callback} takes the handle that sparsify(model, pattern) returns, got {shown}"
        )
    if not handle.layers:
        raise InvalidInput("the handle's model is finalized: there are no masks to renew")


def check_model(handle: Handle, trained: nn.Module) -> None:
    """Refuse a handle to another model than the one that is trained.

    It may be a part of it, or wrapped: a wrapper has the modules of what it wraps.
    """
    check_handle(handle, "the trainer")
    there = set(trained.modules())
    strange = next((layer.name for layer in handle.layers if layer.module not in there), None)
    if strange is not None:
        raise InvalidInput(
            f"the trainer's {type(trained).__name__} does not hold the {strange} that was "
            "sparsified: give the trainer the same model, not a copy or one made anew"
        )


def add_decay(handle: Handle, optimizer: Optimizer, scale: Any = None) -> None:
    """Add masked decay, if that is the estimator, to the gradients that a step is about to use.

    Not left to `Handle.attach`: what it registers runs before the closure that some
    trainers hand to the step, and the closure computes the gradients anew.

    Parameters
    ----------
    scale : number or Tensor, optional
        A loss scale that is still in the gradients: fused optimizers take it out.
    """
    if not handle.attached:
        decay_gradients(handle.layers, optimizer, scale)


def hold(handle: Handle, optimizer: Any) -> list[Any]:
    """Hold what static masks prune in its place, unless the handle does so itself."""
    return [] if handle.attached else hold_static(handle.layers, inside(optimizer))


def count_step(handle: Handle, *optimizers: Any) -> None:
    """Count a step of the optimizers, unless they do that themselves."""
    if not handle.attached:
        handle.advance([p for optimizer in optimizers for p in trained_by(optimizer)])


def latest(handle: Handle) -> dict[str, float]:
    """Return the totals of the last refresh for a log; nothing during the warm-up."""
    if not handle.history.records:
        return {}
    whole = handle.history.records[-1].whole
    return {
        "masksolve/kept_share": whole.kept_share,
        "masksolve/flip_rate": whole.flip_rate,
        "masksolve/seconds": whole.seconds,
    }
