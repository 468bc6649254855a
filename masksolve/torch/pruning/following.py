"""A block's run, met at each stage: by whoever wants to see inputs and to replace weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

from masksolve.torch.pruning.plan import Plan, Stage
from masksolve.torch.pruning.products import Product, Weights, is_addition, same_memory

__all__ = ["Following", "Meeting"]

_IN_PLACE = frozenset({"add_", "__iadd__"})


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """What is seen where a stage is met.

    Attributes
    ----------
    stage : int
    inputs : Tensor, (..., features)
    sum : Tensor or None
        What the product is added to: all else that writes to the stream before it is read,
        and in a dense run the product itself.
    product : Product or None
        Of a routed stage alone: which of its matrices it is.
    """

    stage: int
    inputs: Tensor
    sum: Tensor | None = None
    product: Product | None = None


@dataclass(slots=True)
class _Open:
    """A product whose sum is not complete."""

    stage: int
    product: Product
    bias: Tensor | None
    now: Tensor
    left: int


class Following(TorchFunctionMode):
    """Meets the stages of a block as it runs.

    Parameters
    ----------
    weights : Weights
    plan : Plan
    meet : callable
        Gets each `Meeting`.
    fitted : dict of str to Tensor, optional
        What stands for parameters, by their names; may grow at a meeting. None: a dense run.
    sums : bool
        Whether stages that are added to a stream are met where that is complete.
    """

    def __init__(
        self,
        weights: Weights,
        plan: Plan,
        meet: Callable[[Meeting], None],
        fitted: dict[str, Tensor] | None = None,
        *,
        sums: bool = True,
    ) -> None:
        super().__init__()
        self._weights = weights
        self._plan = plan
        self._stages = plan.stage_of()
        self._meet = meet
        self._fitted = fitted
        self._sums = sums
        self._met: set[int] = set()
        self._open: _Open | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        product = self._weights.product(func, args, named)
        if product is not None and product.name in self._stages:
            return self._multiply(product, func, args, named)
        if self._open is not None and is_addition(func, args, named):
            return self._add(func, args, named)
        return func(*args, **named)

    def _multiply(self, product: Product, func: Any, args: tuple[Any, ...], named: Any) -> Any:
        number = self._stages[product.name]
        stage = self._plan.stages[number]
        if stage.routed:
            self._meet(Meeting(number, product.inputs, product=product))
        elif number not in self._met and not (stage.additions and self._sums):
            self._met.add(number)
            self._meet(Meeting(number, product.inputs))
        elif number not in self._met:
            return self._begin_sum(number, stage, product, func, args, named)
        return self._call(func, args, named)

    def _call(self, func: Any, args: tuple[Any, ...], named: Any) -> Any:
        """Multiply, by what stands for the weights."""
        if self._fitted:
            args = tuple(map(self._stand_in, args))
            named = {key: self._stand_in(value) for key, value in named.items()}
        return func(*args, **named)

    def _stand_in(self, value: Any) -> Any:
        name = self._weights.name(value)
        if name is None or not self._fitted or name not in self._fitted:
            return value
        return self._fitted[name].as_strided(value.size(), value.stride(), value.storage_offset())

    def _begin_sum(
        self, number: int, stage: Stage, product: Product, func: Any, args: Any, named: Any
    ) -> Any:
        """Give the product, or in a run that is to be fitted zeros, to see what it is added to."""
        self._met.add(number)
        if self._fitted is None:
            found = func(*args, **named)
        elif product.name in self._fitted:  # a run from the start, past this stage
            return self._call(func, args, named)
        else:
            shape = (*product.inputs.shape[:-1], product.outputs)
            found = product.inputs.new_zeros(shape)
        self._open = _Open(number, product, None, found, stage.additions)
        return found

    def _add(self, func: Any, args: tuple[Any, ...], named: Any) -> Any:
        held = self._open
        assert held is not None
        if not any(same_memory(one, held.now) for one in args):
            return func(*args, **named)
        found = func(*args, **named)
        held.now, held.left = found, held.left - 1
        if held.left:
            return found
        self._open = None
        self._meet(Meeting(held.stage, held.product.inputs, found))
        if self._fitted is None:
            return found
        whole = found + self._product(held.product).reshape(found.shape)
        if getattr(func, "__name__", "") in _IN_PLACE:
            return args[0].copy_(whole)
        return whole

    def _product(self, product: Product) -> Tensor:
        """Multiply by what was fitted just now."""
        fitted = self._fitted or {}
        weight = fitted.get(product.name, self._weights.parameters[product.name])
        bias = None
        if product.bias is not None:
            bias = fitted.get(product.bias, self._weights.parameters[product.bias])
        if product.inputs_first:
            found = product.inputs @ weight
            return found if bias is None else found + bias
        return F.linear(product.inputs, weight, bias)


def no_grad_run(run: Callable[[], Any], mode: TorchFunctionMode) -> Any:
    """Run under a mode, without gradients."""
    with torch.no_grad(), mode:
        return run()
