"""Which tensors are solved where they are, and why others are not."""

from __future__ import annotations

import importlib.util
import os
import warnings
from functools import cache

import torch

__all__ = ["interpreted", "is_able", "why_not"]

OLDEST = (8, 0)
"""Compute capability that the kernels need."""


def interpreted() -> bool:
    """Tell whether Triton's kernels run in its interpreter, on tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on")


def why_not(device: torch.device) -> str | None:
    """Say why tensors of a device go to the CPU engine; None if they do not.

    Examples
    --------
    >>> why_not(torch.device("mps"))
    'there are no kernels for devices of type mps'
    """
    if device.type == "cpu":
        return None if interpreted() else "it is on the CPU"
    if device.type != "cuda":
        return f"there are no kernels for devices of type {device.type}"
    return _why_not_cuda(device)


@cache
def _why_not_cuda(device: torch.device) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "the kernels need Triton, which is not installed"
    if torch.version.hip is None:
        found = torch.cuda.get_device_capability(device)
        if found < OLDEST:
            name = torch.cuda.get_device_name(device)
            return f"{name} has compute capability {found[0]}.{found[1]}: the kernels need 8.0"
    return None


def is_able(device: torch.device) -> bool:
    """Tell whether a device solves its own tensors; warn once if it does not."""
    why = why_not(device)
    if why is not None:
        _warn_once(f"masks of tensors on {device} are found on the CPU: {why}")
    return why is None


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=5)
