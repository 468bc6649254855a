"""Masks in safetensors: one bit per weight, and what is known of each mask.

Every mask is a tensor of dtype U8 under the name of its weights: the entries in C
order, eight to a byte, the first in the lowest bit. The metadata key ``masksolve``
holds JSON: ``{"version": 1, "kind": "masks", "tensors": {name: record}}``, a record
being shape, pattern, axes, method, objective, upper_bound and status. Files of masked
weights carry the same records under kind ``"weights"``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import FileFormatError, MasksolveError
from masksolve.pattern import Pattern
from masksolve.result import MaskResult, Status
from masksolve.storage.tensors import TensorFile, TensorSpec, write_tensors

__all__ = ["StoredMask", "load_masks", "save_masks"]

KEY = "masksolve"
VERSION = 1


@dataclass(frozen=True, eq=False)
class StoredMask:
    """A mask from a file, with the claims stored beside it.

    Attributes
    ----------
    mask : ndarray of bool
        Shape of the weights, True = kept.
    pattern : Pattern
    axes : tuple of int
        The (output, input) axes of the matrix.
    method : str
    objective : float
    upper_bound : float or None
    status : Status
        Claims about the weights that the mask was made for; `certify` checks them.
    """

    mask: NDArray[np.bool_]
    pattern: Pattern
    axes: tuple[int, int]
    method: str
    objective: float
    upper_bound: float | None
    status: Status


def save_masks(path: str | Path, masks: Mapping[str, MaskResult]) -> None:
    """Write masks to a safetensors file, one bit per weight.

    Parameters
    ----------
    path : str or Path
        Appears whole or not at all.
    masks : mapping of str to MaskResult
        By the name of the weights.

    Raises
    ------
    FileFormatError
        If the file cannot be written, or a name is safetensors' own, ``__metadata__``.

    Examples
    --------
    >>> import masksolve as ms, numpy as np, tempfile, pathlib
    >>> result = ms.solve(np.arange(16).reshape(4, 4), "2:4")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "masks.safetensors")
    ...     ms.save_masks(path, {"layer.weight": result})
    ...     stored = ms.load_masks(path)["layer.weight"]
    >>> stored.pattern, stored.objective, bool((stored.mask == result.mask).all())
    (Pattern(n=2, m=4, transposable=True, at_most=False), 60.0, True)
    """
    if "__metadata__" in masks:
        raise FileFormatError("no tensor can be named '__metadata__' in a safetensors file")
    specs = [TensorSpec.packed(name, r.mask.shape) for name, r in masks.items()]
    metadata = describe("masks", {name: record(r) for name, r in masks.items()})
    with write_tensors(path, specs, metadata) as writer:
        for result in masks.values():
            writer.write(pack(result.mask))
        writer.finish(metadata)


def load_masks(path: str | Path) -> dict[str, StoredMask]:
    """Read every mask of a file that `save_masks` or ``masksolve solve`` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to StoredMask
        By the name of the weights.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, or holds no masks of ours.
    """
    file = TensorFile(path)
    kind, records = read_records(file)
    if kind != "masks":
        raise FileFormatError(f"{path} holds no masksolve masks: its metadata names none")
    return {name: read_mask(file, name, records) for name in records}


def read_records(file: TensorFile) -> tuple[str | None, dict[str, Any]]:
    """Return the kind of a file and its records; None and no records if not ours."""
    if KEY not in file.metadata:
        return None, {}
    try:
        content = json.loads(file.metadata[KEY])
        kind, version = content["kind"], content["version"]
        records: dict[str, Any] = dict(content["tensors"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError(f"{file.path}: its masksolve metadata is damaged") from None
    if version != VERSION:
        raise FileFormatError(
            f"{file.path} is of masksolve format {version}: this version reads {VERSION}"
        )
    return str(kind), records


def read_mask(file: TensorFile, name: str, records: Mapping[str, Any]) -> StoredMask:
    """Read one packed mask and check it against its record."""
    pattern, axes = read_layout(file, name, records)
    try:
        entry = records[name]
        shape = tuple(_integer(n) for n in _list(entry["shape"]))
        bound = entry["upper_bound"]
        if len(shape) < 2 or min(shape) < 0 or max(axes) >= len(shape):
            raise _damaged(file, name)
        packed = file.read(name)
        if packed.dtype != np.uint8 or packed.shape != (-(-prod(shape) // 8),):
            raise FileFormatError(
                f"{file.path}: mask {name!r} is {packed.dtype} {packed.shape}, "
                f"which is not the packed form of {shape}"
            )
        return StoredMask(
            unpack(packed, shape),
            pattern,
            axes,
            _text(entry["method"]),
            _number(entry["objective"]),
            None if bound is None else _number(bound),
            Status(entry["status"]),
        )
    except MasksolveError:
        raise
    except (KeyError, TypeError, ValueError):
        raise _damaged(file, name) from None


def read_layout(
    file: TensorFile, name: str, records: Mapping[str, Any]
) -> tuple[Pattern, tuple[int, int]]:
    """Return the pattern and the matrix axes that a record names."""
    try:
        first, second = (_integer(axis) for axis in _list(records[name]["axes"]))
        if first == second or min(first, second) < 0:
            raise ValueError
        return Pattern.parse(records[name]["pattern"]), (first, second)
    except (KeyError, TypeError, ValueError):
        raise _damaged(file, name) from None


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise TypeError
    return float(value)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _damaged(file: TensorFile, name: str) -> FileFormatError:
    return FileFormatError(f"{file.path}: the record of mask {name!r} is damaged")


def pack(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Put eight entries into a byte, in C order, the first in the lowest bit."""
    return np.packbits(mask.ravel(), bitorder="little")


def unpack(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Undo `pack`."""
    bits = np.unpackbits(packed, count=prod(shape), bitorder="little")
    return bits.view(np.bool_).reshape(shape)


def record(result: MaskResult) -> dict[str, Any]:
    """Say what is known of a mask, ready for JSON."""
    return {
        "shape": list(result.mask.shape),
        "pattern": str(result.pattern),
        "axes": list(result.axes),
        "method": result.method,
        "objective": result.objective,
        "upper_bound": result.upper_bound,
        "status": result.status.value,
    }


def longest_record(
    shape: tuple[int, ...], pattern: Pattern, axes: tuple[int, int], method: str
) -> dict[str, Any]:
    """Return a record no shorter than any that `record` can make for such a mask."""
    return {
        "shape": list(shape),
        "pattern": str(pattern),
        "axes": list(axes),
        "method": max(method, "repair", key=len),
        "objective": -sys.float_info.max,
        "upper_bound": -sys.float_info.max,
        "status": max((s.value for s in Status), key=len),
    }


def describe(kind: str, records: Mapping[str, Any]) -> dict[str, str]:
    """Make the metadata entry of a file."""
    content = {"version": VERSION, "kind": kind, "tensors": dict(records)}
    return {KEY: json.dumps(content, separators=(",", ":"))}
