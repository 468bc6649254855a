"""The straight way: both whole models in memory, run from the start for every layer's inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from masksolve.torch.fitting import FitSettings, Moments, fit_group

GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)


def prune_llama(dense: Any, pruned: Any, ids: Tensor, settings: FitSettings, mode: str) -> None:
    """Prune the matrices of a Llama one group after the other; `dense` stays as it is."""
    for number in range(len(dense.model.layers)):
        for group in GROUPS:
            layer = pruned.model.layers[number]
            modules = [layer.get_submodule(name) for name in group]
            source = dense if mode == "parallel" else pruned
            rows = _seen(source, f"model.layers.{number}.{group[0]}", ids)
            moments = Moments()
            if mode == "parallel":
                moments.add(rows)
            elif len(group) > 1:
                moments.add(rows, dense=_seen(dense, f"model.layers.{number}.{group[0]}", ids))
            else:
                missing = _stream(dense, number, group[0], ids, True)
                missing = missing - _stream(pruned, number, group[0], ids, False)
                moments.add(rows, wanted=missing)
            weights = [module.weight.detach() for module in modules]
            found = fit_group(weights, [None] * len(group), moments, None, settings)
            for module, fitted in zip(modules, found, strict=True):
                module.weight.data.copy_(fitted.weight)


def _seen(model: Any, name: str, ids: Tensor) -> Tensor:
    """Return a module's inputs, as rows."""
    seen: list[Tensor] = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(ids, use_cache=False)
    hook.remove()
    return seen[0].flatten(0, -2)


def _stream(model: Any, number: int, name: str, ids: Tensor, after: bool) -> Tensor:
    """Return the stream that a module writes to, before it does or after it has."""
    layer = f"model.layers.{number}"
    middle = f"{layer}.post_attention_layernorm"
    if name == "mlp.down_proj":
        return _given(model, layer, ids) if after else _seen(model, middle, ids)
    return _seen(model, middle if after else f"{layer}.input_layernorm", ids)


def _given(model: Any, name: str, ids: Tensor) -> Tensor:
    given: list[Tensor] = []
    hook = model.get_submodule(name).register_forward_hook(lambda _, args, out: given.append(out))
    with torch.no_grad():
        model(ids, use_cache=False)
    hook.remove()
    return given[0].flatten(0, -2)
