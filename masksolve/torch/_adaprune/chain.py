"""Blocks that a network runs one after the other: what is behind need not run again.

For each group of weights the calibration batches go through the network anew. Most networks are
chains of blocks, each of which only needs what the one before gave: so the outputs of the last
block behind a group are kept, and the blocks before it do not run. In their place stands NaN: where
a network does use them again, as some skip connections do, it shows, and it runs from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

__all__ = ["Blank", "Chain", "Kept", "Link", "Order", "candidates"]


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A block of a chain.

    Attributes
    ----------
    module : Module
    last : bool
        Whether it is the last of its list: what it gives may be used again, as an encoder's is by
        all blocks of a decoder, and is kept.
    """

    module: nn.Module
    last: bool


Chain: TypeAlias = list[Link]


def candidates(model: nn.Module) -> Chain:
    """Return the members of a model's outermost lists of modules, in the order they stand in."""
    found: Chain = []
    if type(model) in (nn.ModuleList, nn.Sequential):
        members = list(_members(model))
        return [Link(member, member is members[-1]) for member in members]
    for child in model.children():
        found += candidates(child)
    return found


def _members(container: nn.Module) -> Iterator[nn.Module]:
    """Go through a list's members, and through those of lists in it."""
    for child in container.children():
        if type(child) in (nn.ModuleList, nn.Sequential):
            yield from _members(child)
        else:
            yield child


class Order:
    """Watches which of the candidates are called, once in each batch and in the same order.

    Parameters
    ----------
    links : sequence of Link
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = {link.module: link for link in links}
        self._ended: list[list[nn.Module]] = []
        self._calls: list[tuple[nn.Module, int, int]] = []

    def begin(self) -> None:
        """Begin a batch."""
        self._ended.append([])

    @property
    def after(self) -> dict[nn.Module, Callable[[Any], None]]:
        """What is to happen after a candidate's call."""
        return {module: partial(self._end, module) for module in self._links}

    def _end(self, module: nn.Module, output: Any) -> None:
        self._ended[-1].append(module)

    def note(self, caller: nn.Module) -> None:
        """Note that a module is called now."""
        self._calls.append((caller, len(self._ended) - 1, len(self._ended[-1])))

    def chain(self) -> tuple[Chain, dict[nn.Module, int]]:
        """Return the links, and how many of them were behind a module whenever it was called."""
        first, *others = self._ended
        once = {m for m in first if all(batch.count(m) == 1 for batch in self._ended)}
        order = [m for m in first if m in once]
        if any([m for m in batch if m in once] != order for batch in others):
            order, once = [], set()
        behind: dict[nn.Module, int] = {}
        for caller, batch, calls in self._calls:
            count = sum(m in once for m in self._ended[batch][:calls])
            behind[caller] = min(count, behind.get(caller, count))
        return [self._links[m] for m in order], behind


@dataclass(frozen=True, slots=True)
class _Blank:
    """A tensor of which nothing is known any more."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device

    def tensor(self) -> Tensor:
        nothing = float("nan") if self.dtype.is_floating_point or self.dtype.is_complex else 0
        return torch.full(self.shape, nothing, dtype=self.dtype, device=self.device)


@dataclass(slots=True)
class Kept:
    """What the links behind a place gave for one batch.

    Attributes
    ----------
    chain : list of Link
    place : int
        So many links need not run.
    """

    chain: Chain
    place: int = 0
    _outputs: dict[int, Any] = field(default_factory=dict)
    _blanks: dict[int, Any] = field(default_factory=dict)

    def copy(self) -> Kept:
        """Return one that goes its own way."""
        return Kept(self.chain, self.place, dict(self._outputs), dict(self._blanks))

    @property
    def instead(self) -> dict[nn.Module, Callable[[], Any]]:
        """What stands for the links behind the place."""
        return {self.chain[k].module: partial(self._give, k) for k in range(self.place)}

    def after(self, place: int) -> dict[nn.Module, Callable[[Any], None]]:
        """Return what is to happen after links' calls to get to a place further on."""
        return {self.chain[k].module: partial(self._take, k) for k in range(self.place, place)}

    def advance(self, place: int) -> None:
        """Be there, after a pass that got there."""
        if place <= self.place:
            return
        self.place = place
        needed = {k for k in self._outputs if k == place - 1 or self.chain[k].last}
        self._outputs = {k: self._outputs[k] for k in needed}

    def _give(self, k: int) -> Any:
        if k in self._outputs:  # what comes after may write over it
            return tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, self._outputs[k])
        return tree_map(lambda x: x.tensor() if isinstance(x, _Blank) else x, self._blanks[k])

    def _take(self, k: int, output: Any) -> None:
        self._blanks[k] = tree_map(
            lambda x: _Blank(x.shape, x.dtype, x.device) if isinstance(x, Tensor) else x, output
        )
        for old in [old for old in self._outputs if old >= self.place]:
            if not self.chain[old].last:
                del self._outputs[old]  # passed on the way
        self._outputs[k] = tree_map(_copied, output)


def _copied(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    if x.is_floating_point() and bool(x.isnan().any()):
        raise Blank
    return x.detach().clone()


class Blank(BaseException):
    """What does not run was used again; not an Exception, so that no model catches it."""
