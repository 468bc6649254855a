"""What scores gather of a training, and when it counts.

It lies with the mask (`Masked.gathered`): saved, copied and pickled with the model, so that a
copy's is its own. Values are replaced, never written to, since processes to which torch sends
a model share its memory; nothing here waits for a device.

What forward passes show comes before anybody knows whether a step will follow. It is held back
until one does, and dropped if that was skipped: gradients that a backward pass left are gone
then, or not finite, and the weight is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias
from weakref import ref

import torch
from torch import Tensor

from masksolve.torch.distributed import is_spread, part, select

__all__ = ["Gathered", "Skipped", "like", "version"]

Skipped: TypeAlias = bool | Tensor
"""Whether a step was none; of a device that is not waited for, a flag that lies there."""


class Gathered:
    """Tensors by the names of their scores, and what is held back of them.

    Examples
    --------
    >>> import torch
    >>> gathered = Gathered()
    >>> gathered.begin("sum", torch.zeros(2))
    >>> gathered.put("sum", gathered["sum"] + 1)
    >>> gathered.put("sum", gathered["sum"] + torch.inf, skipped=True)
    >>> gathered["sum"]
    tensor([1., 1.])
    """

    def __init__(self) -> None:
        self._values: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._stamp: int | None = None  # the weight's version at the last backward pass
        self._looked = True  # at the gradient that it left
        self._listener: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # A parameter's copy has no hooks; and whether a step follows concerns the original.
        sure = dict(self.save())
        return {"_values": sure, "_held": {}, "_stamp": None, "_looked": True, "_listener": None}

    def __getattr__(self, name: str) -> Tensor:
        """Find what `save` wrote, as distributed checkpoints look for what they name."""
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Tensor:
        return self._values[name]

    def begin(self, name: str, nothing: Tensor) -> None:
        """Make room; what a copy or a checkpoint brought along stays."""
        self._values.setdefault(name, nothing)

    def put(self, name: str, value: Tensor, skipped: Skipped = False) -> None:
        """Take a value over, unless the step that it is of was none."""
        if isinstance(skipped, Tensor):
            before = like(self._values[name], value)
            value = select(skipped.to(value.device), before, value)
        elif skipped:
            return
        self._values[name] = value

    def hold(self, name: str, value: Tensor, weight: Tensor) -> None:
        """Hold a value back until it is known whether a step of the weight follows."""
        if self._listener is None or self._listener[0]() is not weight:
            self.forget_weight()
            if weight.requires_grad:
                hook = weight.register_post_accumulate_grad_hook(partial(_heard, ref(self)))
                self._listener = ref(weight), hook
        self._held[name] = value

    def forget_weight(self) -> None:
        """Listen to the weight's backward passes no more."""
        if self._listener is not None:
            self._listener[1].remove()
            self._listener = None

    def settle(self, name: str, skipped: Skipped = False) -> None:
        """Say what became of the step that was waited for."""
        if name in self._held:
            self.put(name, self._held.pop(name), skipped)
        self._stamp = None

    def latest(self, name: str, weight: Tensor) -> Tensor:
        """Return the value to go on from in a forward pass."""
        if name not in self._held or self._stamp is None:
            return self._held.get(name, self._values[name])
        if self._moved(weight):  # a step that nobody told of
            self.settle(name)
        elif weight.grad is None:
            self.settle(name, skipped=True)
        elif not self._looked and not is_spread(weight.grad):
            low, high = torch.aminmax(weight.grad)
            gone = ~(low.isfinite() & high.isfinite() & ((low != 0) | (high != 0)))
            held = self._held[name]
            self._held[name] = torch.where(gone.to(held.device), self._values[name], held)
            self._looked = True
        return self._held.get(name, self._values[name])

    def known(self, name: str, weight: Tensor) -> Tensor:
        """Return the value of all that counts by now."""
        counts = self._stamp is None or self._moved(weight)
        return self._held.get(name, self._values[name]) if counts else self._values[name]

    def _moved(self, weight: Tensor) -> bool:
        return self._stamp not in (None, version(weight))

    def save(self) -> Iterator[tuple[str, Tensor]]:
        """Give the names and values that go into a checkpoint."""
        yield from (self._values | ({} if self._stamp is not None else self._held)).items()

    def load(self, saved: Mapping[str, Tensor], device: torch.device) -> str | None:
        """Go on from a checkpoint, or from nothing where it has nothing; says what does not fit."""
        for name, value in self._values.items():
            if name in saved and saved[name].shape != value.shape:
                return f"{tuple(saved[name].shape)} for {name}: expected {tuple(value.shape)}"
        nothing = {name: torch.zeros_like(value) for name, value in self._values.items()}
        copies = {name: value.detach().to(device, copy=True) for name, value in saved.items()}
        self._values, self._held, self._stamp = nothing | copies, {}, None
        return None


def _heard(gathered: ref[Gathered], weight: Tensor) -> None:
    """Note how a backward pass left a weight."""
    of = gathered()
    if of is not None and of._held:
        of._stamp, of._looked = version(weight), False


def version(tensor: Tensor) -> int:
    """Return how often a tensor was written to; -1 where torch does not count."""
    return -1 if tensor.is_inference() else tensor._version


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """Put a tensor where another is, spread as that is; nothing, if it has lost its data."""
    tensor = torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor
    tensor = tensor.to(other.device)
    return part(tensor, other) if is_spread(other) and not is_spread(tensor) else tensor
