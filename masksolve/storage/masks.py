"""Masks in safetensors: one bit per weight, and what is known of each mask.

Every mask is a tensor of dtype U8 under the name of its weights: the entries in C
order, eight to a byte, the first in the lowest bit, zeros in what is left of the last.
`records` has what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.checks import check_mask
from masksolve.errors import FileFormatError, InvalidInput, MaskViolation, about
from masksolve.layout import Layout
from masksolve.result import MaskResult, Status
from masksolve.storage.hashing import hash_weights
from masksolve.storage.packing import dtype_code, pack, unpack
from masksolve.storage.records import MaskRecord, describe
from masksolve.storage.stored import StoredMask, refuse_overfull
from masksolve.storage.tensors import TensorFile, TensorSpec, write_tensors

__all__ = ["read_mask", "read_packed", "read_valid_mask", "refuse_false", "save_masks"]


def save_masks(
    path: str | Path,
    masks: Mapping[str, MaskResult | StoredMask],
    weights: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write masks to a safetensors file, one bit per weight.

    Parameters
    ----------
    path : str or Path
        Appears whole or not at all.
    masks : mapping of str to MaskResult or StoredMask
        By the name of the weights.
    weights : mapping of str to array_like, optional
        The weights of these masks, of the dtype that their file has. Their hashes are
        written, so that the masks can be applied to no others by mistake. A mask without
        such a hash is applied only by force.

    Raises
    ------
    FileFormatError
        If the file cannot be written, or a name is safetensors' own, ``__metadata__``.
    InvalidInput
        If `weights` lacks some, or holds others than a mask's own.

    Examples
    --------
    >>> import masksolve as ms, numpy as np, tempfile, pathlib
    >>> weights = np.arange(16.0).reshape(4, 4)
    >>> result = ms.solve(weights, "2:4")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "masks.safetensors")
    ...     ms.save_masks(path, {"layer.weight": result}, {"layer.weight": weights})
    ...     stored = ms.load_masks(path)["layer.weight"]
    >>> stored.pattern, stored.objective, bool((stored.mask == result.mask).all())
    (Pattern(n=2, m=4, transposable=True, at_most=False), 60.0, True)
    >>> stored.apply(weights).sum()
    np.float64(60.0)
    """
    if "__metadata__" in masks:
        raise FileFormatError("no tensor can be named '__metadata__' in a safetensors file")
    specs, records = [], {}
    for name, mask in masks.items():
        specs.append(TensorSpec.packed(name, mask.mask.shape))
        records[name] = _record(name, mask, weights)
    metadata = describe("masks", records)
    with write_tensors(path, specs, metadata) as writer:
        for mask in masks.values():
            writer.write(pack(mask.mask))
        writer.finish(metadata)


def _record(
    name: str, mask: MaskResult | StoredMask, weights: Mapping[str, ArrayLike] | None
) -> MaskRecord:
    stored = mask if isinstance(mask, StoredMask) else StoredMask(mask.mask, MaskRecord.of(mask))
    record = replace(stored.record, bits=hash_weights(pack(mask.mask)))
    if weights is None:
        return record
    if name not in weights:
        raise InvalidInput(f"there are no weights of mask {name!r}")
    with about(f"mask {name!r}"):
        array = stored.fitting(weights[name])
        if stored.weights is not None:
            stored.check(array)
        return replace(record, dtype=dtype_code(array), weights=hash_weights(array))


def read_packed(file: TensorFile, name: str, record: MaskRecord) -> NDArray[np.uint8]:
    """Read the bits of a mask: the very ones that were written."""
    packed = file.read(name)
    size = prod(record.shape)
    if packed.dtype != np.uint8 or packed.shape != (-(-size // 8),):
        raise FileFormatError(
            f"{file.path}: mask {name!r} is {packed.dtype} {packed.shape}, "
            f"which is not the packed form of {record.shape}"
        )
    if size % 8 and packed[-1] >> size % 8:
        raise FileFormatError(f"{file.path}: mask {name!r} goes on after its last entry")
    if record.bits is not None and hash_weights(packed) != record.bits:
        raise FileFormatError(
            f"{file.path}: mask {name!r} is damaged: its hash is not the one on record"
        )
    return packed


def read_mask(file: TensorFile, name: str, record: MaskRecord) -> StoredMask:
    """Read a mask, whether or not it obeys its pattern."""
    return StoredMask(unpack(read_packed(file, name, record), record.shape), record)


def read_valid_mask(file: TensorFile, name: str, record: MaskRecord) -> StoredMask:
    """Read a mask, and see that it obeys its pattern."""
    found = read_mask(file, name, record)
    try:
        matrices = found.layout.matrices(found.mask)
        refuse_false(matrices, found.layout.matrix_axes, record)
    except MaskViolation as violation:
        raise FileFormatError(
            f"{file.path}: mask {name!r} is not what its record says: {violation}"
        ) from None
    return found


def refuse_false(matrices: NDArray[np.bool_], axes: tuple[int, int], record: MaskRecord) -> None:
    """Raise for a line that does not obey the pattern on record."""
    if record.status is Status.UNDERFILLED:
        refuse_overfull(matrices, record.pattern, Layout(axes))
    else:
        check_mask(matrices, record.pattern, axes=axes)
