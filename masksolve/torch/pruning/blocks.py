"""The blocks of a network: modules of one kind in a row, each of which takes hidden states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from masksolve.checkpoints.names import brief
from masksolve.errors import InvalidInput

__all__ = ["Call", "called_blocks", "find_blocks", "next_call"]


@dataclass(frozen=True, eq=False)
class Call:
    """How the network calls a block.

    Attributes
    ----------
    name : str
        Of the block.
    args, named : tuple, dict
        Its own arguments, hidden states among them.
    """

    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def states(self) -> Tensor:
        """The hidden states that go in."""
        found: Tensor = self.args[0] if self.args else self.named["hidden_states"]
        return found

    def with_states(self, states: Tensor) -> Call:
        """Return the same call with other hidden states."""
        if self.args:
            return replace(self, args=(states, *self.args[1:]))
        return replace(self, named=self.named | {"hidden_states": states})

    def run(self, block: nn.Module) -> Tensor:
        """Call a block; return the hidden states that it gives.

        Raises
        ------
        InvalidInput
            If it gives something else as well, that other blocks may need.
        """
        found = block(*self.args, **self.named)
        states = found if isinstance(found, Tensor) else found[0]
        others = () if isinstance(found, Tensor) else found[1:]
        if not isinstance(states, Tensor) or any(part is not None for part in others):
            raise InvalidInput(
                f"{self.name} ({type(block).__name__}) gives more than hidden states, which cannot "
                "be followed: prune the model in memory, by masksolve.torch.adaprune"
            )
        return states

    def length(self, block: nn.Module) -> int:
        """Call a block; return how long the tuple is that it gives, 0: it gives a tensor."""
        found = block(*self.args, **self.named)
        return 0 if isinstance(found, Tensor) else len(found)


def find_blocks(network: nn.Module) -> list[str]:
    """Name the blocks: members of the outermost lists of two or more modules of one kind.

    A list of one is one of blocks if nothing else is.

    Raises
    ------
    InvalidInput
        If there are none.
    """
    lists = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module)
        and any(True for _ in module[0].parameters())
        and sum(1 for _ in module[0].children())
    ]
    found: list[str] = []
    for least in (2, 1):
        for name, module in lists:
            inside = any(name.startswith(f"{block}.") for block in found)
            if len(module) >= least and not inside:
                found += [f"{name}.{k}" for k in range(len(module))]
        if found:
            return found
    kind = type(network).__name__
    raise InvalidInput(
        f"{kind} has no list of blocks (a torch.nn.ModuleList of layers) that can be followed: "
        "prune it in memory, by masksolve.torch.adaprune"
    )


class _Called(BaseException):
    """A block is called: nothing that a network might catch."""

    def __init__(self, call: Call) -> None:
        self.call = call


def next_call(
    network: nn.Module,
    blocks: Sequence[str],
    done: Mapping[str, int],
    states: Tensor | None,
    inputs: Mapping[str, Tensor],
) -> Call | None:
    """Run what lies around the blocks up to the first that is not done.

    Parameters
    ----------
    network : Module
    blocks : sequence of str
    done : mapping of str to int
        Those that need not be called: they give `states`, in tuples of such a length.
    states : Tensor or None
    inputs : mapping of str to Tensor
        Of the network.

    Returns
    -------
    Call or None
        None: no other block is called.
    """

    def stub(name: str) -> Callable[..., Any]:
        def forward(*args: Any, **named: Any) -> Any:
            if name not in done:
                raise _Called(Call(name, args, named))
            return _given(states, done[name])

        return forward

    try:
        _run(network, {name: stub(name) for name in blocks}, inputs)
    except _Called as called:
        return called.call
    return None


def called_blocks(
    network: nn.Module, blocks: Sequence[str], length: int, inputs: Mapping[str, Tensor]
) -> list[str]:
    """Name the blocks that are called, in order.

    Parameters
    ----------
    network, blocks, inputs
        As for `next_call`.
    length : int
        Of the tuple that a block gives; 0: it gives a tensor.

    Raises
    ------
    InvalidInput
        If one is called more than once.
    """
    called: list[str] = []

    def stub(name: str) -> Callable[..., Any]:
        def forward(*args: Any, **named: Any) -> Any:
            called.append(name)
            return _given(Call(name, args, named).states, length)

        return forward

    _run(network, {name: stub(name) for name in blocks}, inputs)
    twice = [name for name, count in Counter(called).items() if count > 1]
    if twice:
        raise InvalidInput(
            f"{twice[0]} is called more than once, which cannot be followed: prune the model in "
            "memory, by masksolve.torch.adaprune"
        )
    return called


def _given(states: Tensor | None, length: int) -> Any:
    return (states, *[None] * (length - 1)) if length else states


def _run(
    network: nn.Module, stubs: Mapping[str, Callable[..., Any]], inputs: Mapping[str, Tensor]
) -> None:
    """Run a network with something else for its blocks."""
    replaced: list[nn.Module] = []
    try:
        for name, stub in stubs.items():
            block = network.get_submodule(name)
            block.forward = stub
            replaced.append(block)
        with torch.no_grad():
            getattr(network, "base_model", network)(**inputs)  # what lies behind them is no matter
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:  # whatever a network's own code may raise
        said = brief(" ".join(str(error).split()), 200) or type(error).__name__
        raise InvalidInput(
            f"{type(network).__name__} cannot be followed up to its blocks: {said}"
        ) from None
    finally:
        for block in replaced:
            del block.forward
