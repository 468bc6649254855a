"""The optimizers that a handle listens to, found in whatever wraps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor
from torch.optim import Optimizer

from masksolve.errors import InvalidInput
from masksolve.torch.layer import Layer
from masksolve.torch.training.static import hold_static

__all__ = ["Listener", "Optimizers", "inside", "refuse_untrained", "trained_by"]

Optimizers: TypeAlias = Optimizer | Sequence[Optimizer]


def refuse_untrained(optimizers: Sequence[Any], layers: Sequence[Layer]) -> None:
    """Refuse what is no optimizer and wraps none, and weights that none of them trains."""
    for optimizer in optimizers:
        inside(optimizer)
    trained = {id(parameter) for optimizer in optimizers for parameter in trained_by(optimizer)}
    who = "the optimizer does" if len(optimizers) == 1 else "the optimizers do"
    for layer in layers:
        if layer.original.requires_grad and id(layer.original) not in trained:
            raise InvalidInput(f"{who} not train {layer.name}")


def trained_by(optimizer: Any) -> Iterator[Tensor]:
    """Give the parameters of an optimizer."""
    for group in optimizer.param_groups:
        yield from group["params"]


def inside(optimizer: Any) -> Any:
    """Return the outermost of an optimizer and those it wraps that calls hooks.

    Accelerate's wrapper and local SGD's have none of their own; ZeRO's has.
    """
    one = optimizer
    while hasattr(one, "param_groups") and not hasattr(one, "_optimizer_step_post_hooks"):
        one = getattr(one, "optimizer", None) or getattr(one, "optim", None)
    if not isinstance(one, Optimizer):
        raise InvalidInput(f"optimizer must be a torch optimizer, got {type(optimizer).__name__}")
    return one


class Listener:
    """Hears optimizers step. Of several a step is over when the last of them has stepped.

    What static masks prune they hold in its place.

    Parameters
    ----------
    layers : sequence of Layer
    optimizers : sequence of Optimizer
    before : callable
        Called as a step's hook is: with the optimizer and the step's arguments.
    after : callable
        Called when a step is over, with what loss scalers found, as they tell fused
        optimizers.

    Attributes
    ----------
    optimizers : tuple of Optimizer
        As they were given.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        optimizers: Sequence[Any],
        before: Callable[..., None],
        after: Callable[[list[Tensor]], None],
    ) -> None:
        self.optimizers = tuple(optimizers)
        self._after = after
        self._heard: set[int] = set()
        self._last: int | None = None
        self._found: list[Tensor] = []
        self._hooks: list[Any] = []
        for which, given in enumerate(self.optimizers):
            inner = inside(given)
            self._hooks += hold_static(layers, inner)
            self._hooks.append(inner.register_step_pre_hook(before))
            stepped = partial(self._stepped, which)
            if hasattr(given, "averager"):  # masks come after the average of local SGD
                self._hooks.append(_After(given, stepped))
            else:
                self._hooks.append(inner.register_step_post_hook(stepped))

    def remove(self) -> None:
        """Listen no more."""
        for hook in self._hooks:
            hook.remove()

    def parameters(self) -> Iterator[Tensor]:
        """Give all that they train."""
        for optimizer in self.optimizers:
            yield from trained_by(optimizer)

    def _stepped(self, which: int, optimizer: Any, *arguments: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        self._found += [] if found is None else [found]
        self._heard.add(which)
        if self._last is None and len(self._heard) == len(self.optimizers):
            self._last = which  # so it is ever after, whichever of them a loss scaler skips
        if which == self._last:
            found, self._found = self._found, []
            self._after(found)


class _After:
    """Something to be done after an optimizer's step that calls no hooks."""

    def __init__(self, optimizer: Any, then: Callable[[Any], None]) -> None:
        self._optimizer, self._before = optimizer, vars(optimizer).get("step")
        step = optimizer.step

        def stepped(*args: Any, **kwargs: Any) -> Any:
            outcome = step(*args, **kwargs)
            then(optimizer)
            return outcome

        optimizer.step = stepped

    def remove(self) -> None:
        if self._before is None:
            del self._optimizer.step
        else:
            self._optimizer.step = self._before
