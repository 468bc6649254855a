"""Tensors to the kernels and masks back: which dtype, which way round, what if all is full."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from masksolve.errors import InvalidInput, InvalidScore
from masksolve.pattern import Pattern
from masksolve.result import MaskResult
from masksolve.solvers import as_options, find_method
from masksolve.solving import solve
from masksolve.torch.arrays import as_array
from masksolve.torch.batched import BatchedMethods, solve_batched
from masksolve.torch.gpu.operator import exact_mask
from masksolve.torch.gpu.support import READ
from masksolve.torch.gpu.tiling import as_matrices
from masksolve.torch.results import DeviceResult, first_bad, inexact

__all__ = ["launch", "mask_by"]

_SMALL = (torch.bool, torch.uint8, torch.int8, torch.int16)


def readable(scores: Tensor, name: str) -> Tensor:
    """Return scores in a dtype that the kernels read, exactly as they are."""
    if scores.dtype in READ:
        return scores
    narrow = scores.dtype.is_floating_point or scores.dtype in _SMALL
    try:
        wide = scores.to(torch.float32 if narrow else torch.float64)
    except NotImplementedError:  # several numbers to an entry
        raise InvalidInput(f"{name} has dtype {scores.dtype}, which is not supported") from None
    if scores.dtype in (torch.int64, torch.uint64):
        wide.masked_fill_(inexact(scores), torch.nan)  # refused, once the device has seen it
    return wide


def launch(
    scores: Tensor,
    pattern: Pattern,
    *,
    magnitude: bool,
    axes: tuple[int, int],
    name: str = "tensor",
    start: Tensor | None = None,
    potentials: bool = False,
) -> DeviceResult:
    """Have the device solve a tensor, and go on without waiting.

    Parameters
    ----------
    scores : Tensor, at least 2-D
    pattern : Pattern
        Transposable, n < m.
    magnitude : bool
        Whether scores are the entries' magnitudes, or else the entries.
    axes : tuple of int
        The matrices' rows and columns; the others are a batch.
    name : str
        For sentences about bad scores.
    start : Tensor, optional
        Column potentials of an earlier result for such a tensor.
    potentials : bool
        Keep this one's.

    Raises
    ------
    InvalidInput
        If the device has no room, or `start` lies elsewhere.
    """
    if start is not None and start.device != scores.device:
        raise InvalidInput(
            f"{name} is on {scores.device} and what to start from on {start.device}: expected "
            "one device"
        )

    def on_cpu() -> MaskResult:
        score = np.abs if magnitude else None
        return solve(as_array(scores, name), pattern, score=score, axes=axes)

    try:
        mask, columns, verdict, flags = exact_mask(
            readable(as_matrices(scores.detach(), axes), name),
            pattern.n,
            pattern.m,
            pattern.at_most,
            magnitude,
            start,
            potentials,
        )
    except torch.OutOfMemoryError:
        raise _no_room(scores, name) from None
    return DeviceResult(
        _turned_back(mask, scores, axes),
        pattern,
        columns if potentials else None,
        verdict,
        flags,
        lambda: first_bad(scores, name),
        on_cpu,
    )


def mask_by(
    scores: Tensor,
    pattern: Pattern,
    methods: BatchedMethods,
    *,
    method: str,
    options: Mapping[str, float] | None,
    magnitude: bool,
    axes: tuple[int, int],
    name: str = "tensor",
) -> Tensor:
    """Find a mask by a method that is batched; the other arguments are those of `launch`."""
    as_options(method, find_method(method, pattern).options, options)
    try:
        matrices = as_matrices(scores.detach(), axes)
        if scores.dtype in (torch.int64, torch.uint64):
            matrices = readable(matrices, name)
        mask = solve_batched(
            matrices,
            pattern.n,
            pattern.m,
            method=method,
            transposable=pattern.transposable,
            at_most=pattern.at_most,
            magnitude=magnitude,
            options=options,
            methods=methods,
        )
    except InvalidScore:
        raise first_bad(scores, name) from None
    except torch.OutOfMemoryError:
        raise _no_room(scores, name) from None
    return _turned_back(mask, scores, axes)


def _turned_back(mask: Tensor, scores: Tensor, axes: tuple[int, int]) -> Tensor:
    """Give a mask of matrices the shape of what they were made from."""
    others = [k for k in range(scores.ndim) if k not in axes]
    order = [*others, *axes]
    turned = mask.reshape([scores.shape[k] for k in order])
    return turned.permute([order.index(k) for k in range(scores.ndim)])


def _no_room(scores: Tensor, name: str) -> InvalidInput:
    return InvalidInput(
        f"{scores.device} has no room left to solve {name} of shape {tuple(scores.shape)}: "
        "besides the mask, a byte per entry, the work takes up to 300 MB"
    )
