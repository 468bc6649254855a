"""Under which names a model holds its modules and parameters, and what shares memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

__all__ = ["Memory", "Place", "join", "names_of", "own_tensors", "size_of"]


def names_of(model: nn.Module) -> dict[nn.Module, list[str]]:
    """Return all names of each module, in the model's order.

    Examples
    --------
    >>> layer = nn.Linear(4, 4)
    >>> names_of(nn.Sequential(layer, layer))[layer]
    ['0', '1']
    """
    names: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    return names


def join(prefix: str, name: str) -> str:
    """Return the full name of what a module, by its name, holds."""
    return f"{prefix}.{name}" if prefix else name


def own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Go through a module's own parameters, those that are parametrized among them.

    By the names that its forward uses, whatever torch.nn.utils has made of them.
    """
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name.removesuffix("_orig"), parameter
    chains = module._modules.get("parametrizations")
    for name, chain in chains.items() if isinstance(chains, nn.ModuleDict) else ():
        original = getattr(chain, "original", None)
        yield name, chain.original0 if original is None else original


def size_of(model: nn.Module) -> int:
    """Return how many entries a model's parameters have, shared ones counted once."""
    known = (p for p in model.parameters() if not isinstance(p, UninitializedParameter))
    return sum(parameter.numel() for parameter in known)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parameter is held."""

    name: str
    """Its full name."""
    module: nn.Module
    tensor_name: str


class Memory:
    """Which parameters of a model lie in the same memory.

    Examples
    --------
    >>> model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    >>> model["b"].weight = nn.Parameter(model["a"].weight.detach())  # another, on one storage
    >>> memory = Memory(model)
    >>> [place.name for place in memory.sharing(model["a"].weight)]
    ['a.weight', 'b.weight']
    """

    def __init__(self, model: nn.Module) -> None:
        self._held: dict[Any, list[tuple[Place, nn.Parameter]]] = {}
        for prefix, module in model.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    place = Place(join(prefix, name), module, name)
                    self._held.setdefault(_storage(parameter), []).append((place, parameter))

    def sharing(self, parameter: nn.Parameter) -> list[Place]:
        """Return where a parameter, and whatever shares memory with it, is held."""
        near = self._held[_storage(parameter)]
        return [place for place, other in near if other is parameter or _meet(other, parameter)]

    def twins(self, parameter: nn.Parameter) -> list[Place]:
        """Return where the same numbers are held: it, or another view of them all."""
        near = self._held[_storage(parameter)]
        return [place for place, other in near if other is parameter or _same(other, parameter)]


def _storage(parameter: nn.Parameter) -> Any:
    """Tell storages apart; what has no memory of its own to look at is itself alone."""
    try:
        address = parameter.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError, ValueError):  # not initialised, or made up
        address = 0
    return (parameter.device, address) if address else id(parameter)


def _span(parameter: nn.Parameter) -> tuple[int, int]:
    """Return where a parameter's memory begins and ends."""
    steps = zip(parameter.shape, parameter.stride(), strict=True)
    last = sum((size - 1) * stride for size, stride in steps)
    start = parameter.data_ptr()
    return start, start + (last + 1) * parameter.itemsize if parameter.numel() else start


def _meet(one: nn.Parameter, other: nn.Parameter) -> bool:
    (start, end), (others, ends) = _span(one), _span(other)
    return start < ends and others < end


def _same(one: nn.Parameter, other: nn.Parameter) -> bool:
    views = [(p.data_ptr(), p.dtype, p.shape, p.stride()) for p in (one, other)]
    return views[0] == views[1]
