"""Masks of tensors, found where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.solve import solve
from masksolve.solvers import METHODS, as_options, find_method
from masksolve.torch.layouts import Layout

__all__ = ["as_array", "is_solved_there", "refuse_unreadable", "solve_mask"]

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
    if not isinstance(tensor, Tensor):
        raise InvalidInput(f"{name} must be a tensor, got {type(tensor).__name__}")
    refuse_unreadable(tensor, name)
    held = tensor.detach().cpu().resolve_neg()
    integer, dtype = _VIEWED.get(held.dtype, (held.dtype, None))
    try:
        array: NDArray[Any] = held.view(integer).numpy()
    except TypeError:
        raise InvalidInput(f"{name} has dtype {held.dtype}, which is not supported") from None
    return array if dtype is None else array.view(dtype)


def is_solved_there(tensor: Tensor) -> bool:
    """Tell whether a tensor's own device can solve it; warn once if a GPU cannot."""
    if tensor.device.type != "cuda":
        return False
    from masksolve.torch.gpu.support import is_able

    able: bool = is_able(tensor.device)
    return able


def refuse_unreadable(tensor: Tensor, name: str) -> None:
    """Refuse a tensor that has no real numbers to read, one by one."""
    if tensor.device.type == "meta":
        raise InvalidInput(f"{name} is on the meta device, without data: load weights first")
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.is_complex():
        kind = "quantised" if tensor.is_quantized else str(tensor.layout)
        if tensor.is_complex():
            kind = "complex"
        raise InvalidInput(f"{name} is {kind}: expected a dense tensor of real numbers")


def solve_mask(
    tensor: Tensor,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    score: Callable[[Tensor], Tensor] | None = torch.abs,
    layout: Layout | None = None,
    threads: int | None = None,
) -> Tensor:
    """Find the mask of an N:M pattern that keeps the most score of a tensor.

    Parameters
    ----------
    tensor : Tensor, at least 2-D
        Of any real dtype, on any device; memory on the CPU is read where it lies, and a
        CUDA device solves its own. Never modified.
    pattern : Pattern or str
        For example ``"2:4"``, ``"4:8,at-most"``, ``"2:4,plain"``.
    method, options, threads
        As for `masksolve.solve`.
    score : callable or None
        Turns the tensor into scores of its shape; None: it holds scores already, of any
        sign.
    layout : Layout, optional
        Which axes are the matrix's; default: the first is the output, the second the
        input, as in linear layers and convolutions. `layout_of` has those of others.

    Returns
    -------
    Tensor of bool
        Of the tensor's shape and on its device, True = kept.

    Raises
    ------
    InvalidInput, InvalidPattern, UnknownMethod
        As for `masksolve.solve`; also for a tensor on the meta device, a quantised or
        sparse one.

    Examples
    --------
    >>> import torch
    >>> weight = torch.tensor([[4., 1, 0, 2], [3, 5, 1, 0], [0, 1, -6, 2], [1, 0, 2, 7]])
    >>> solve_mask(weight, "1:4").int()
    tensor([[1, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
            [0, 0, 0, 1]], dtype=torch.int32)
    """
    pattern = Pattern.parse(pattern)
    layout = Layout() if layout is None else layout
    if not isinstance(layout, Layout):
        raise InvalidInput(f"layout must be a Layout or None, got {layout!r}")
    # abs is left to the solver, which takes it as it reads.
    by_magnitude = score is torch.abs
    scores, name = tensor, "tensor"
    if not (by_magnitude or score is None) and isinstance(tensor, Tensor):
        if not callable(score):
            raise InvalidInput(f"score must be a function or None, got {score!r}")
        scores, name = score(tensor.detach()), "score(tensor)"
    if isinstance(scores, Tensor) and is_solved_there(scores):
        found = _on_device(scores, tensor, pattern, method, options, by_magnitude, layout, name)
        if found is not None:
            return found
    array = as_array(scores, name)
    _agree(array, tensor, name)
    result = solve(
        layout.matrices(array),
        pattern,
        method=method,
        options=options,
        score=np.abs if by_magnitude else None,
        axes=layout.matrix_axes,
        threads=threads,
    )
    return torch.from_numpy(result.mask).view(tensor.shape).to(tensor.device)


def _agree(scores: Any, tensor: Tensor, name: str) -> None:
    """Refuse scores of another shape than the tensor's, or without matrices."""
    if tuple(scores.shape) != tuple(tensor.shape):
        raise InvalidInput(
            f"{name} has shape {tuple(scores.shape)}: expected that of tensor, "
            f"{tuple(tensor.shape)}"
        )
    if scores.ndim < 2:
        raise InvalidInput(f"tensor must have at least 2 dimensions, got {scores.ndim}")


def _on_device(
    scores: Tensor,
    tensor: Tensor,
    pattern: Pattern,
    method: str,
    options: Mapping[str, float] | None,
    magnitude: bool,
    layout: Layout,
    name: str,
) -> Tensor | None:
    """Solve a tensor where it is; None if that is for the CPU engine."""
    from masksolve.torch.gpu import masks

    refuse_unreadable(scores, name)
    find_method(method, pattern)
    _agree(scores, tensor, name)
    matrices, axes = layout.matrices(scores), layout.matrix_axes
    if masks.takes(pattern, method):
        as_options(method, METHODS[method].options, options)
        found = masks.launch(matrices, pattern, magnitude=magnitude, axes=axes, name=name)
        if torch.compiler.is_compiling() or (
            scores.is_cuda and torch.cuda.is_current_stream_capturing()
        ):
            found.require()
        else:
            found.check()
        return found.mask.reshape(tensor.shape).to(tensor.device)
    if masks.is_batched(pattern, method):
        mask = masks.mask_by(
            matrices,
            pattern,
            method=method,
            options=options,
            magnitude=magnitude,
            axes=axes,
            name=name,
        )
        return mask.reshape(tensor.shape).to(tensor.device)
    return None
