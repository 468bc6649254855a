"""Weights and masks spread over several processes.

Masks are whole in every process: each gathers a weight, solves it, and finds the same.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["is_spread", "part", "whole"]


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
