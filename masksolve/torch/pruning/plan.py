"""In which order the matrices of a block are fitted, seen by running it once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from masksolve.errors import InvalidInput
from masksolve.torch.pruning.products import Product, Weights, is_addition, same_memory

__all__ = ["Matrix", "Plan", "Stage", "look"]


@dataclass(frozen=True, slots=True)
class Matrix:
    """How a parameter is multiplied.

    Attributes
    ----------
    name : str
        Of the parameter.
    inputs_first : bool
        Whether a matrix is (inputs, outputs).
    bias : str or None
        Name of the parameter that is added to the product.
    """

    name: str
    inputs_first: bool
    bias: str | None


@dataclass(slots=True)
class Stage:
    """What is fitted together: matrices that multiply the same inputs.

    Attributes
    ----------
    matrices : list of Matrix
    additions : int
        How often something is added to what they give before it is used: what they write to
        is a stream that others write to as well. Several matrices: 0.
    routed : bool
        Whether they see some of the tokens only, as experts do.
    """

    matrices: list[Matrix]
    additions: int = 0
    routed: bool = False

    @property
    def names(self) -> list[str]:
        """Of the parameters."""
        return [matrix.name for matrix in self.matrices]


@dataclass(slots=True)
class Plan:
    """The stages of a block, in order.

    Attributes
    ----------
    stages : list of Stage
    left : dict of str to str
        Parameters that no stage fits, and why.
    """

    stages: list[Stage]
    left: dict[str, str] = field(default_factory=dict)

    def stage_of(self) -> dict[str, int]:
        """By the names of parameters the numbers of their stages."""
        return {name: k for k, stage in enumerate(self.stages) for name in stage.names}


def look(weights: Weights, wanted: Mapping[str, str], rows: int, run: Callable[[], Any]) -> Plan:
    """Run a block, and see which products it makes.

    Parameters
    ----------
    weights : Weights
    wanted : mapping of str to str
        The parameters to fit, and what to call them.
    rows : int
        Of the hidden states that go in: who sees fewer is routed.
    run : callable

    Raises
    ------
    InvalidInput
        If a weight is used more than once.
    """
    looking = _Looking(weights, wanted)
    with torch.no_grad(), looking:
        run()
    plan = Plan([])
    groups: dict[Any, Stage] = {}
    for seen in looking.seen.values():
        product = seen.product
        routed = product.index is not None or product.whole or seen.rows != rows
        group = re.sub(r"\.\d+\.", ".", product.name) if routed else seen.inputs
        matrix = Matrix(product.name, product.inputs_first, product.bias)
        if group in groups:
            groups[group].matrices.append(matrix)
            groups[group].additions = 0
        else:
            groups[group] = Stage([matrix], 0 if routed else seen.additions, routed)
            plan.stages.append(groups[group])
    for name in wanted:
        if name not in looking.seen:
            plan.left[name] = "nothing was seen to be multiplied by it"
    return plan


@dataclass(slots=True)
class _Seen:
    product: Product
    inputs: int
    rows: int
    additions: int = 0


class _Looking(TorchFunctionMode):
    """Takes down products, and where what they give is added to."""

    def __init__(self, weights: Weights, wanted: Mapping[str, str]) -> None:
        super().__init__()
        self.seen: dict[str, _Seen] = {}
        self._weights = weights
        self._wanted = wanted
        self._inputs: list[Tensor] = []  # kept, so that no other lies where they do
        self._open: tuple[_Seen, Tensor] | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        product = self._weights.product(func, args, named)
        found = func(*args, **named)
        if product is not None and product.name in self._wanted:
            self._take(product, found)
        elif self._open is not None:
            self._follow(func, args, named, found)
        return found

    def _take(self, product: Product, found: Tensor) -> None:
        before = self.seen.get(product.name)
        if before is not None:
            if product.index is None and not product.whole:
                called = self._wanted[product.name]
                raise InvalidInput(
                    f"{called} is multiplied more than once in its block, which cannot be "
                    "followed: leave it out by --exclude"
                )
            self._open = None
            return
        inputs = next(
            (k for k, one in enumerate(self._inputs) if same_memory(product.inputs, one)), None
        )
        if inputs is None:
            inputs = len(self._inputs)
            self._inputs.append(product.inputs)
        rows = product.inputs.numel() // product.features
        self.seen[product.name] = _Seen(product, inputs, rows)
        self._open = self.seen[product.name], found

    def _follow(self, func: Any, args: tuple[Any, ...], named: Any, found: Any) -> None:
        assert self._open is not None
        seen, held = self._open
        if not any(same_memory(one, held) for one in args):
            return
        if is_addition(func, args, named) and not all(same_memory(one, held) for one in args):
            seen.additions += 1
            self._open = seen, found
        elif isinstance(found, Tensor) and not same_memory(found, held):
            self._open = None
