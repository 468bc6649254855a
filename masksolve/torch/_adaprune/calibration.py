"""Calibration batches through a model, and what its layers are called with on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from masksolve.errors import InvalidInput, MasksolveError
from masksolve.torch._adaprune.sources import Call

__all__ = ["Calibration", "Forward", "Positions", "as_batches"]

Forward: TypeAlias = Callable[[nn.Module, Any], Any]
Positions: TypeAlias = Callable[[Any], Tensor | None]
Seen: TypeAlias = Callable[[Call], bool | None]
"""Gets a layer's call before it happens; True: the rest of the model need not run."""


class _Enough(BaseException):
    """Ends a forward pass from within; not an Exception, so that no model catches it."""


def as_batches(batches: Any) -> list[Any]:
    """Return batches as a list: they are gone through again and again, in the same order.

    Raises
    ------
    InvalidInput
        If there are none, if they are one batch, or nothing that can be gone through.
    """
    if isinstance(batches, Tensor | Mapping | str | bytes):
        raise InvalidInput(
            f"batches must be a list or a loader of batches, got one {type(batches).__name__}: "
            "put it in a list"
        )
    try:
        listed = list(batches)
    except TypeError:
        raise InvalidInput(
            f"batches must be a list or a loader of batches, got {type(batches).__name__}"
        ) from None
    if not listed:
        raise InvalidInput("there are no calibration batches: expected at least one")
    return listed


class Calibration:
    """A model, and the batches that go through it.

    Parameters
    ----------
    model : Module
    batches : iterable
    forward : callable, optional
        Runs (model, batch). Default: a mapping becomes named arguments, a tuple or list
        positional ones, anything else the only argument.
    positions : callable, optional
        Tells which positions of a batch count. Default: an attention mask, if it is a
        mapping that has one of two dimensions.

    Attributes
    ----------
    model : Module
    batches : list
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Any,
        forward: Forward | None = None,
        positions: Positions | None = None,
    ) -> None:
        for name, value in (("forward", forward), ("positions", positions)):
            if value is not None and not callable(value):
                raise InvalidInput(f"{name} must be a function, got {value!r:.60}")
        self.model = model
        self.batches = as_batches(batches)
        self._forward = forward or _feed
        self._positions = positions or _attended

    def positions(self, number: int) -> Tensor | None:
        """Return which positions of a batch count, (samples, positions) of bool."""
        found = self._positions(self.batches[number])
        if found is None:
            return None
        if not isinstance(found, Tensor) or found.ndim != 2:
            raise InvalidInput(
                f"positions of batch {number} must be a tensor (samples, positions), got "
                f"{tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__}"
            )
        return found != 0

    def run(
        self,
        number: int,
        watchers: Mapping[nn.Module, Seen],
        after: Mapping[nn.Module, Callable[[Any], None]] = MappingProxyType({}),
        instead: Mapping[nn.Module, Callable[[], Any]] = MappingProxyType({}),
    ) -> None:
        """Send a batch through the model, while watchers see their modules' calls.

        Parameters
        ----------
        number : int
            The batch's.
        watchers : mapping of Module to callable
        after : mapping of Module to callable
            Gets what the module gave.
        instead : mapping of Module to callable
            Gives it, without a run of the module.

        Raises
        ------
        InvalidInput
            If the model does not take the batch.
        """

        def see(watch: Seen) -> Callable[..., None]:
            def before(module: nn.Module, positional: Any, named: Any) -> None:
                if watch((positional, named)):
                    raise _Enough

            return before

        batch = self.batches[number]
        hooks = [
            module.register_forward_pre_hook(see(watch), with_kwargs=True)
            for module, watch in watchers.items()
        ]
        hooks += [
            module.register_forward_hook(lambda module, inputs, output, get=get: get(output))
            for module, get in after.items()
        ]
        try:
            with torch.no_grad(), _replaced(instead):
                self._forward(self.model, batch)
        except _Enough:
            pass
        except MasksolveError:
            raise
        except Exception as error:
            said = str(error).strip().split("\n")[0] or type(error).__name__
            raise InvalidInput(
                f"batch {number}, {_described(batch)}, does not go through "
                f"{type(self.model).__name__}: {said}"
            ) from error
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put the model into evaluation mode, and back as it was."""
        training = [module for module in self.model.modules() if module.training]
        # The fused attention of torch hides its layers' calls, and packs padded batches.
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            self.model.eval()
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for module in training:
                module.training = True


@contextmanager
def _replaced(instead: Mapping[nn.Module, Callable[[], Any]]) -> Iterator[None]:
    """Let modules give something without running."""
    held = {module: module.__dict__.get("forward") for module in instead}
    try:
        for module, give in instead.items():
            module.forward = lambda *positional, give=give, **named: give()
        yield
    finally:
        for module, forward in held.items():
            if forward is None:
                module.__dict__.pop("forward", None)
            else:  # somebody else had put it there
                module.forward = forward


def _feed(model: nn.Module, batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return model(**batch)
    if isinstance(batch, tuple | list):
        return model(*batch)
    return model(batch)


def _attended(batch: Any) -> Tensor | None:
    mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    return mask if isinstance(mask, Tensor) and mask.ndim == 2 else None


def _described(batch: Any) -> str:
    if isinstance(batch, Tensor):
        return f"a tensor of shape {tuple(batch.shape)}"
    if isinstance(batch, Mapping):
        return f"a mapping of {', '.join(map(str, batch)) or 'nothing'}"
    if isinstance(batch, tuple | list):
        return f"a {type(batch).__name__} of {len(batch)}"
    return f"a {type(batch).__name__}"
