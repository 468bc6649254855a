"""Checkpoints and pickles of sparsified models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput
from masksolve.torch.layer import masked_layers
from masksolve.torch.masked import decode

__all__ = ["dense_state_dict", "keep_checkpoints_safe", "make_picklable"]


def dense_state_dict(model: nn.Module) -> dict[str, Any]:
    """Return the state of a sparsified model as that of the plain one, pruned weights zero.

    Examples
    --------
    >>> import torch
    >>> from masksolve.torch import sparsify
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 8))
    >>> handle = sparsify(model, "2:4")
    >>> plain = torch.nn.Sequential(torch.nn.Linear(8, 8))
    >>> plain.load_state_dict(dense_state_dict(model))
    <All keys matched successfully>
    """
    state = dict(model.state_dict())
    for layer in masked_layers(model):
        prefix = layer.name[: -len(layer.tensor_name)]
        for key in list(state):
            if key.startswith(f"{prefix}parametrizations.{layer.tensor_name}."):
                del state[key]
        state[layer.name] = layer.used()
    return state


def keep_checkpoints_safe(model: nn.Module) -> None:
    """Check what is loaded into a sparsified model before any of it is."""
    model.register_load_state_dict_pre_hook(_refuse_others)


def _refuse_others(
    model: nn.Module, state: Mapping[str, Tensor], prefix: str, *others: Any
) -> None:
    for layer in masked_layers(model):
        stem = f"{prefix}{layer.name[: -len(layer.tensor_name)]}"
        code = state.get(f"{stem}parametrizations.{layer.tensor_name}.0.code")
        mine = layer.masked.pattern
        if code is not None and decode(code) != mine:
            raise InvalidInput(
                f"the checkpoint has {decode(code)} masks for {layer.name}: the model was "
                f"sparsified with {mine}"
            )
        if code is None and f"{stem}{layer.tensor_name}" in state:
            raise InvalidInput(
                f"the checkpoint has a plain {layer.name}, without a mask: load it before "
                "sparsify"
            )


def make_picklable(module: nn.Module) -> None:
    """Let a parametrized module be pickled: its class is made on the fly, so it is told how.

    Deep copies go their own way already.
    """
    type(module).__reduce_ex__ = _reduce  # type: ignore[assignment]


def _reduce(module: nn.Module, protocol: int) -> tuple[Any, ...]:
    state = module.__dict__.copy()
    return _empty, (type(module).__bases__[0],), state, None, None, _restore


def _empty(kind: type[nn.Module]) -> nn.Module:
    return object.__new__(kind)


def _restore(module: nn.Module, state: dict[str, Any]) -> None:
    """Fill a module that was pickled, and parametrize it again."""
    state["_modules"] = dict(state["_modules"])
    chains = state["_modules"].pop("parametrizations")
    module.__dict__.update(state)
    for name, chain in chains.items():
        module.register_parameter(name, chain.original)
        for parametrization in chain:
            parametrize.register_parametrization(module, name, parametrization, unsafe=True)
    make_picklable(module)
