"""Masks as bits, and what they do to the bytes of weights."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import InvalidInput
from masksolve.storage.tensors import DTYPES

__all__ = ["dtype_code", "pack", "set_zeros", "unpack", "unpack_run"]

CODES = {name: code for code, name in DTYPES.items()}


def dtype_code(array: NDArray[Any]) -> str:
    """Return what safetensors calls the dtype of an array."""
    code = CODES.get(array.dtype.name)
    if code is None:
        raise InvalidInput(f"weights have dtype {array.dtype}, which safetensors has not")
    return code


def set_zeros(weights: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Set pruned weights to +0.0 in place, whatever the dtype; contiguous arrays only."""
    bits = weights.view(f"u{weights.dtype.itemsize}")
    np.multiply(bits, mask, out=bits)
    return weights


def pack(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Put eight entries into a byte, in C order, the first in the lowest bit."""
    return np.packbits(mask.ravel(), bitorder="little")


def unpack(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Undo `pack`."""
    bits = np.unpackbits(packed, count=prod(shape), bitorder="little")
    return bits.view(np.bool_).reshape(shape)


def unpack_run(packed: NDArray[np.uint8], start: int, count: int) -> NDArray[np.bool_]:
    """Unpack a run of entries, counted as they are packed."""
    first, skip = divmod(start, 8)
    run = packed[first : -(-(start + count) // 8)]
    bits = np.unpackbits(run, count=skip + count, bitorder="little")
    return bits[skip:].view(np.bool_)
