"""Tensors as arrays: the same memory where that can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.errors import InvalidInput

__all__ = ["as_array", "as_tensor", "refuse_unfit", "refuse_unreadable"]

_VIEWED: dict[torch.dtype, tuple[torch.dtype, Any]] = {
    torch.bfloat16: (torch.int16, ml_dtypes.bfloat16),
    torch.float8_e4m3fn: (torch.uint8, ml_dtypes.float8_e4m3fn),
    torch.float8_e5m2: (torch.uint8, ml_dtypes.float8_e5m2),
    torch.float8_e4m3fnuz: (torch.uint8, ml_dtypes.float8_e4m3fnuz),
    torch.float8_e5m2fnuz: (torch.uint8, ml_dtypes.float8_e5m2fnuz),
}
"""What NumPy lacks, with an integer type of its size and the ml_dtypes type it is."""


def as_array(tensor: Tensor, name: str = "tensor") -> NDArray[Any]:
    """Show a tensor as an array: the same memory if it is on the CPU.

    Raises
    ------
    InvalidInput
        If it is no tensor, has no data (meta device), is quantised, sparse or complex, or
        of a dtype that NumPy has no like of.
    """
    refuse_unreadable(tensor, name)
    held = tensor.detach().cpu().resolve_neg()
    integer, dtype = _VIEWED.get(held.dtype, (held.dtype, None))
    try:
        array: NDArray[Any] = held.view(integer).numpy()
    except TypeError:
        raise InvalidInput(f"{name} has dtype {held.dtype}, which is not supported") from None
    return array if dtype is None else array.view(dtype)


def as_tensor(array: NDArray[Any]) -> Tensor:
    """Show a contiguous array, as `as_array` or a file gives it, as a tensor of its dtype.

    Examples
    --------
    >>> as_tensor(as_array(torch.tensor([0.5, 2.0], dtype=torch.bfloat16)))
    tensor([0.5000, 2.0000], dtype=torch.bfloat16)
    """
    for dtype, (integer, own) in _VIEWED.items():
        if array.dtype == own:
            held = array.view(torch.empty(0, dtype=integer).numpy().dtype)
            return torch.from_numpy(held).view(dtype)
    return torch.from_numpy(array)


def refuse_unreadable(tensor: Tensor, name: str) -> None:
    """Refuse what has no real numbers to read, one by one."""
    if not isinstance(tensor, Tensor):
        raise InvalidInput(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.device.type == "meta":
        raise InvalidInput(f"{name} is on the meta device, without data: load weights first")
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.is_complex():
        kind = "quantised" if tensor.is_quantized else str(tensor.layout)
        if tensor.is_complex():
            kind = "complex"
        raise InvalidInput(f"{name} is {kind}: expected a dense tensor of real numbers")


def refuse_unfit(scores: Tensor, shape: Sequence[int], name: str, whose: str) -> None:
    """Refuse scores that cannot be read, of another shape, or without matrices."""
    refuse_unreadable(scores, name)
    if tuple(scores.shape) != tuple(shape):
        raise InvalidInput(
            f"{name} has shape {tuple(scores.shape)}: expected that of {whose}, {tuple(shape)}"
        )
    if scores.ndim < 2:
        raise InvalidInput(f"{whose} must have at least 2 dimensions, got {scores.ndim}")
