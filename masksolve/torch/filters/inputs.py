"""What users give: models, batches, budgets, probabilities, seeds, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput

__all__ = ["as_batches", "as_budget", "as_delta", "as_patterns", "as_rng", "check_model"]


def check_model(model: nn.Module) -> None:
    """Refuse weights that are no parameters of their own, and those that have become NaN.

    What is cut of a weight that is computed from others would come back.
    """
    for name, module in model.named_modules():
        name = name or "the model"
        weight = getattr(module, "weight", None)
        if hasattr(module, "made_plain_by"):  # a layer of masksolve.torch.dst
            raise InvalidInput(f"{name} has thresholds: call {module.made_plain_by} before")
        if parametrize.is_parametrized(module):
            raise InvalidInput(
                f"{name} has a parametrized weight: prune filters first and "
                "sparsify then, or call the handle's finalize() before"
            )
        if isinstance(weight, Tensor) and "weight" not in module._parameters:
            raise InvalidInput(
                f"{name} computes its weight from others, as "
                "torch.nn.utils.prune and weight_norm do: remove that first"
            )
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if not bool(tensor.isfinite().all()):
            raise InvalidInput(f"{name} holds values that are not finite: train it again")


def as_batches(batches: Iterable[Any], model: nn.Module, name: str = "batches") -> list[Tensor]:
    """Return the inputs of batches, where the model is."""
    if isinstance(batches, Tensor):
        batches = [batches]
    if not isinstance(batches, Iterable):
        raise InvalidInput(f"{name} must be an iterable of batches, got {_kind(batches)}")
    device = next((p.device for p in model.parameters()), None)
    found = []
    for k, batch in enumerate(batches):
        inputs = batch[0] if isinstance(batch, tuple | list) and batch else batch
        if not isinstance(inputs, Tensor):
            raise InvalidInput(
                f"{name}[{k}] must be a tensor, or a tuple that begins with one, "
                f"got {_kind(inputs)}"
            )
        if not inputs.numel():
            raise InvalidInput(f"{name}[{k}] is empty, of shape {tuple(inputs.shape)}")
        if not bool(inputs.isfinite().all()):
            raise InvalidInput(f"{name}[{k}] holds values that are not finite")
        found.append(inputs.to(device))
    if not found:
        raise InvalidInput(f"{name} holds no batch: expected at least one")
    return found


def as_budget(budget: Any) -> float:
    """Return a share of the parameters."""
    if not _is_number(budget) or not 0 < budget <= 1:
        raise InvalidInput(
            f"budget must be the share of parameters that stays, above 0 and up to 1, "
            f"got {budget!r}"
        )
    return float(budget)


def as_delta(delta: Any) -> float:
    """Return a probability of failure."""
    if not _is_number(delta) or not 0 < delta < 1:
        raise InvalidInput(f"delta must be a probability between 0 and 1, got {delta!r}")
    return float(delta)


def as_rng(seed: Any) -> np.random.Generator:
    """Return a generator of random numbers."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"seed must be a whole number from 0 up, or a Generator, got {seed!r}"
        ) from None


def as_patterns(keep: Any) -> Sequence[str]:
    """Return name patterns."""
    patterns = [keep] if isinstance(keep, str) else keep
    if not isinstance(patterns, Sequence) or not all(isinstance(p, str) for p in patterns):
        raise InvalidInput(f"keep must be a name pattern or several, got {keep!r}")
    return patterns


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    return type(value).__name__
