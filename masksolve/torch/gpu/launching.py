"""Kernels are launched where their tensors are."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["on_device"]


def on_device(tensor: Tensor) -> AbstractContextManager[object]:
    """Make a tensor's device the current one; the stream is that device's current one."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
