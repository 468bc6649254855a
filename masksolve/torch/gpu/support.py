"""Which tensors are solved where they are, and why others are not."""

from __future__ import annotations

import importlib.util
import os
import warnings
from functools import cache

import torch

__all__ = ["READ", "interpreted", "is_able", "why_not"]

READ = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""The dtypes that the kernels read as they are."""
OLDEST = (8, 0)
"""Compute capability that the kernels need."""
OLDEST_TRITON = (3, 4)


def interpreted() -> bool:
    """Tell whether Triton's kernels run in its interpreter, on tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on")


@torch.compiler.assume_constant_result
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
    if torch.version.hip is not None:
        return "the kernels are for devices of NVIDIA's"
    if importlib.util.find_spec("triton") is None:
        return "the kernels need Triton, which is not installed"
    found = torch.cuda.get_device_capability(device)
    if found < OLDEST:
        name = torch.cuda.get_device_name(device)
        return f"{name} has compute capability {found[0]}.{found[1]}: the kernels need 8.0"
    return None if interpreted() else _why_not_triton()


def _why_not_triton() -> str | None:
    """Have Triton start, for which it wants a compiler of C, among other things."""
    try:
        import triton

        version = triton.__version__
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TRITON:
            return f"the kernels need Triton 3.4 or later, this is {version}"
        triton.runtime.driver.active.get_current_device()
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        return f"Triton does not start: {reason}"
    return None


@torch.compiler.assume_constant_result
def is_able(device: torch.device) -> bool:
    """Tell whether a device solves its own tensors; warn once if it does not."""
    why = why_not(device)
    if why is not None:
        _warn_once(f"masks of tensors on {device} are found on the CPU: {why}")
    return why is None


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=5)
