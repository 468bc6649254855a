"""A 2:4 weight and its transpose as torch's semi-structured tensors, for both products."""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor

from masksolve.errors import InvalidInput

__all__ = ["compress", "keeps_half", "semi_structured", "why_no_kernel", "why_not_semi_structured"]

_DTYPES = (torch.float16, torch.bfloat16, torch.int8)
"""That hardware multiplies 2:4 (float32 it takes 1:2, and torch has float8 only scaled)."""


def semi_structured(weight: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Turn a transposable 2:4 weight and its transpose into semi-structured tensors.

    Torch's compressed tensors cannot be transposed, hence two: with ``sparse, sparse_t``
    of a weight (output, input), ``linear(x, sparse)`` is the forward product ``x @ W.T``
    and ``linear(g, sparse_t)`` the input-gradient product ``g @ W``.

    Parameters
    ----------
    weight : Tensor of float16, bfloat16 or int8, 2-D, on a CUDA device
    mask : Tensor of bool, optional
        What to keep; default: what is not zero.

    Returns
    -------
    tuple of two torch.sparse.SparseSemiStructuredTensor
        Of the weight, and of its transpose.

    Raises
    ------
    InvalidInput
        If that cannot be, with the words of `why_not_semi_structured`.
    """
    why = why_not_semi_structured(weight, mask)
    if why is not None:
        raise InvalidInput(f"no semi-structured tensors of this weight: {why}")
    kept = weight.detach() if mask is None else weight.detach() * mask
    return compress(kept), compress(kept.t())


def compress(kept: Tensor) -> Any:
    """Turn a 2:4 matrix into the semi-structured tensor of its device's back-end."""
    kind = _back_end(kept.device)
    try:
        return kind.from_dense(kept.detach().contiguous())
    except RuntimeError as error:  # what its library says only when asked
        raise InvalidInput(f"no semi-structured tensors of this weight: {error}") from error


def why_not_semi_structured(weight: Tensor, mask: Tensor | None = None) -> str | None:
    """Say why `semi_structured` would refuse a weight; None if it would not.

    Its type, sides and pattern are looked at before the device.

    Examples
    --------
    >>> import torch
    >>> from masksolve.torch import solve_mask
    >>> weight = torch.randn(64, 64, dtype=torch.bfloat16)
    >>> why_not_semi_structured(weight)
    'row 0 keeps 4 of the entries 0 to 3: it is not 2:4'
    >>> why_not_semi_structured(weight, solve_mask(weight, "2:4"))
    'it is on the CPU: sparse products need a CUDA device of compute capability 8.0 or newer'
    """
    if not isinstance(weight, Tensor) or weight.layout != torch.strided or weight.ndim != 2:
        given = type(weight).__name__
        if isinstance(weight, Tensor):
            given = f"one of {weight.layout} and shape {tuple(weight.shape)}"
        return f"it must be a dense matrix, got {given}"
    if weight.dtype not in _DTYPES:
        return f"it is of {weight.dtype}: 2:4 products take {', '.join(map(str, _DTYPES))}"
    if mask is not None and not (
        isinstance(mask, Tensor)
        and mask.dtype == torch.bool
        and (mask.shape, mask.device) == (weight.shape, weight.device)
    ):
        return f"mask must be of bool, of shape {tuple(weight.shape)} and on the weight's device"
    if any(side % 4 for side in weight.shape):
        return f"its sides, {weight.shape[0]} x {weight.shape[1]}, are no multiples of 4"
    if weight.device.type == "meta":
        return "it is on the meta device, without data"
    kept = weight.detach() != 0 if mask is None else mask
    why = _misfit(kept, "row")
    if why is not None:
        return f"{why}: it is not 2:4"
    why = _misfit(kept.t(), "column")
    if why is not None:
        return f"{why}: it is 2:4 but not transposable, so its transpose is not 2:4"
    return why_no_kernel(weight.shape[0], weight.shape[1], weight.dtype, weight.device)


def why_no_kernel(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> str | None:
    """Say why a device would not multiply a 2:4 weight and its transpose, of these sides."""
    kind = _back_end(device)
    if isinstance(kind, str):
        return kind
    limits = kind._DTYPE_SHAPE_CONSTRAINTS[dtype]
    # Both ways round: the transpose is converted too.
    for height, width in ((rows, columns), (columns, rows)):
        if height % limits.sparse_min_rows or width % limits.sparse_min_cols:
            return (
                f"{kind.BACKEND} takes multiples of {limits.sparse_min_rows} rows and "
                f"{limits.sparse_min_cols} columns in {dtype}, and the weight and its "
                f"transpose are {rows} x {columns} and turned"
            )
    return None


def keeps_half(mask: Tensor) -> bool:
    """Tell whether a mask keeps at most two of any four neighbours, both ways."""
    if mask.ndim != 2 or any(side % 4 for side in mask.shape):
        return False
    return all(not (_counts(kept) > 2).any() for kept in (mask, mask.t()))


def _misfit(kept: Tensor, line: str) -> str | None:
    """Find four neighbours in a row of which more than two are kept."""
    counts = _counts(kept)
    if not (counts > 2).any():
        return None
    row, group = (counts > 2).nonzero()[0].tolist()
    return (
        f"{line} {row} keeps {counts[row, group].item()} of the entries "
        f"{4 * group} to {4 * group + 3}"
    )


def _counts(kept: Tensor) -> Tensor:
    return kept.unflatten(1, (-1, 4)).sum(-1)


def _back_end(device: torch.device) -> Any:
    """Return torch's class of semi-structured tensors for a device, or why there is none."""
    needed = "sparse products need a CUDA device of compute capability 8.0 or newer"
    if device.type != "cuda":
        where = "the CPU" if device.type == "cpu" else f"a device of type {device.type}"
        return f"it is on {where}: {needed}"
    major, minor = torch.cuda.get_device_capability(device)
    if major < 8:
        return f"{torch.cuda.get_device_name(device)} has {major}.{minor}: {needed}"
    if torch.backends.cusparselt.is_available():
        return torch.sparse.SparseSemiStructuredTensorCUSPARSELT
    if major > 8 or torch.version.hip is not None or platform.system() == "Windows":
        return "this build of torch has no cuSPARSELt, and its CUTLASS serves CUDA 8.x only"
    return torch.sparse.SparseSemiStructuredTensorCUTLASS
