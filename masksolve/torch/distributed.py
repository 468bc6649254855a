"""Weights and masks spread over several processes.

Masks are whole in every process: each gathers a weight, solves it, and finds the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["agreed", "is_spread", "part", "replicas", "select", "sharding", "whole"]


def is_spread(tensor: Tensor) -> bool:
    """Tell whether each process has but its part of a tensor: torch's DTensor."""
    # By what it can do, since torch is also built without torch.distributed.
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor in full: gathered from all processes, if it is spread over them."""
    return tensor.full_tensor() if is_spread(tensor) else tensor


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """Spread a tensor, whole in every process, as another is spread; else return it."""
    if not is_spread(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    # None: each process takes its own copy's part, without asking another.
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def select(flag: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Return one of two tensors that are spread alike, by a flag that all processes have."""
    if not is_spread(other):
        return torch.where(flag, one, other)
    mine = torch.where(flag, one.to_local(), other.to_local())
    kind: Any = type(other)
    return kind.from_local(
        mine, other.device_mesh, other.placements, shape=other.shape, stride=other.stride()
    )


def agreed(scores: Any, weight: Tensor, group: Any) -> Any:
    """Return in full the scores of a weight on which all processes agree.

    What is the weight itself, or spread as it is, is the same for all. Other scores may
    come from what a process saw of the batch, as activations do: they are averaged, over
    those who share the weight, or the given group's.
    """
    if not isinstance(scores, Tensor) or scores is weight or is_spread(scores):
        return whole(scores)
    groups = [] if group is None else [group]
    if is_spread(weight):
        mesh = weight.device_mesh
        groups = [mesh.get_group(axis) for axis in range(mesh.ndim)]
    if groups:
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32), copy=True)
    for each in groups:
        torch.distributed.all_reduce(scores, group=each)
        scores /= each.size()
    return scores


def replicas(model: nn.Module) -> Any:
    """Return the group of processes that DistributedDataParallel gave a model; or None."""
    for module in model.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            return module.process_group
    return None


def sharding(model: nn.Module) -> str | None:
    """Name what shards a model's parameters, which must stay where it found them."""
    known = {"FSDPModule": "fully_shard", "FullyShardedDataParallel": "the FSDP wrapper"}
    for module in model.modules():
        for kind in type(module).__mro__:
            if kind.__name__ in known and kind.__module__.startswith("torch.distributed"):
                return known[kind.__name__]
    return None
