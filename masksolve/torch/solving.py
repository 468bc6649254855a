"""Masks of tensors, found where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.devices import mask_of
from masksolve.torch.layouts import Layout, default_layout

__all__ = ["solve_mask"]


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
        Three axes that could as well stack the matrices of experts need one.

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
    shape = tensor.shape if isinstance(tensor, Tensor) else ()
    layout = default_layout(shape, pattern) if layout is None else layout
    if not isinstance(layout, Layout):
        raise InvalidInput(f"layout must be a Layout or None, got {layout!r}")
    # abs is left to the solver, which takes it as it reads.
    by_magnitude = score is torch.abs
    scores, name = tensor, "tensor"
    if not (by_magnitude or score is None) and isinstance(tensor, Tensor):
        if not callable(score):
            raise InvalidInput(f"score must be a function or None, got {score!r}")
        scores, name = score(tensor.detach()), "score(tensor)"
    mask = mask_of(
        scores,
        layout,
        pattern,
        shape=shape,
        method=method,
        options=options,
        magnitude=by_magnitude,
        threads=threads,
        name=name,
    )
    return mask.to(tensor.device)
