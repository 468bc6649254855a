"""Weights and masks spread over several processes."""

from __future__ import annotations

from torch import Tensor

__all__ = ["whole"]


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor in full: gathered from all processes, if it is spread over them."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
