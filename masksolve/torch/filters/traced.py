"""What following a network leaves: whose channels each axis of its tensors counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from masksolve.errors import InvalidInput
from masksolve.torch.filters.ties import FIXED, Atoms, Ids

__all__ = ["Layer", "Sizes", "TracedModel", "Uses", "going_through"]


@dataclass
class Uses:
    """Where a module counts channels.

    Attributes
    ----------
    axes : dict
        Of its tensors: name -> axis -> channels.
    numbers : dict
        Of its attributes, such as ``out_channels``: name -> channels.
    inputs, outputs : Ids
        What comes in, and goes out.
    mixes : bool
        Whether outputs are sums over inputs: then inputs may be pruned, with an error.
    """

    axes: dict[str, dict[int, Ids]]
    numbers: dict[str, Ids]
    inputs: Ids
    outputs: Ids
    mixes: bool = False


@dataclass(frozen=True)
class Layer:
    """A linear layer or convolution whose inputs may be pruned.

    Attributes
    ----------
    name : str
    module : Module
    inputs : Ids
        The atoms of its input channels.
    columns : Ids
        The atoms along axis 1 of its weight: for a grouped convolution those of one group.
    """

    name: str
    module: nn.Module
    inputs: Ids
    columns: Ids


@dataclass
class TracedModel:
    """A model, followed from input to output.

    Attributes
    ----------
    model : Module
    graph : GraphModule
        The same, traced.
    uses : dict
        Of every module that counts channels, by name.
    atoms : Atoms
    makers : list of list of str
        The layers that make each group's channels.
    """

    model: nn.Module
    graph: fx.GraphModule
    uses: dict[str, Uses]
    atoms: Atoms
    makers: list[list[str]]

    def layers(self) -> Iterator[Layer]:
        """Go through the layers whose inputs may be pruned."""
        for name, uses in self.uses.items():
            if uses.mixes and (self.atoms.of(uses.inputs) != FIXED).any():
                columns = self.atoms.of(uses.axes["weight"][1])
                inputs = self.atoms.of(uses.inputs)
                yield Layer(name, self.model.get_submodule(name), inputs, columns)

    def tensors(self) -> Iterator[tuple[str, str, Tensor, dict[int, Ids]]]:
        """Go through the tensors whose axes count channels: module, name, tensor, atoms."""
        for name, uses in self.uses.items():
            module = self.model.get_submodule(name)
            for tensor_name, axes in uses.axes.items():
                tensor = getattr(module, tensor_name, None)
                if tensor is not None:
                    of = {axis: self.atoms.of(ids) for axis, ids in axes.items()}
                    yield name, tensor_name, tensor, of

    def size(self) -> int:
        """Count the parameters."""
        return sum(p.numel() for p in self.model.parameters())

    @torch.no_grad()
    def show(
        self, batches: Iterable[Tensor], see: Mapping[str, Callable[[Tensor], None]], name: str
    ) -> None:
        """Run the model, and show modules' inputs to functions on the way.

        Raises
        ------
        InvalidInput
            If a batch has not the shape that the model takes; `name` is that of all batches.
        """
        showing = _Showing(self.graph, see)
        for k, batch in enumerate(batches):
            with going_through(batch, f"{name}[{k}]"):
                showing.run(batch)


@contextmanager
def going_through(batch: Tensor, name: str) -> Iterator[None]:
    """Say of which batch it is that an operation fails.

    Raises
    ------
    InvalidInput
        In place of what torch raises.
    """
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(str(error).partition("\n")[0]) from None  # fx adds the place
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason, _, place = str(error).strip().partition("\n")
        node = re.search(r"While executing %(\w+)", place)
        raise InvalidInput(
            f"{name}, of shape {tuple(batch.shape)}, does not go through the model"
            f"{f' at node {node[1]!r}' if node else ''}: {reason}"
        ) from error


class _Showing(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule, see: Mapping[str, Callable[[Tensor], None]]) -> None:
        super().__init__(graph)
        self._see = see

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if target in self._see:
            self._see[target]((*args, *kwargs.values())[0])
        return super().call_module(target, args, kwargs)


class Sizes:
    """The number of parameters that are left when each group keeps so many atoms.

    Exact if the atoms of a group occur equally often along each axis, as they do in all
    but contrived networks.

    Parameters
    ----------
    traced : TracedModel
    """

    def __init__(self, traced: TracedModel) -> None:
        groups = traced.atoms.groups
        self._fixed = traced.size()
        self._tensors: list[tuple[int, list[tuple[int, NDArray[np.float64]]]]] = []
        group_of = np.full(sum(map(len, groups)) + 1, len(groups))  # the last: FIXED
        for g, atoms in enumerate(groups):
            group_of[atoms] = g
        for _, _, tensor, axes in traced.tensors():
            if not isinstance(tensor, nn.Parameter):
                continue
            self._fixed -= tensor.numel()
            rest = tensor.numel() // prod(tensor.shape[axis] for axis in axes)
            counts = [np.bincount(group_of[a], minlength=len(groups) + 1) for a in axes.values()]
            factors = [
                (int(c[-1]), c[:-1] / [max(1, len(atoms)) for atoms in groups]) for c in counts
            ]
            self._tensors.append((rest, factors))

    def after(self, kept: Any) -> float:
        """Count the parameters after each group kept so many atoms."""
        total = float(self._fixed)
        for rest, factors in self._tensors:
            total += rest * prod(fixed + float(share @ kept) for fixed, share in factors)
        return total
