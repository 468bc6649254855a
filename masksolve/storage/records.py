"""What a file says of its masks: one record each, as JSON under the key ``masksolve``.

``{"version": 2, "kind": "masks", "tensors": {name: record}}``; files of masked weights have
kind ``"weights"``. docs/mask-files.md describes the records entry by entry.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any, TypeVar

from masksolve.errors import FileFormatError, MasksolveError
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.result import MaskResult, Status
from masksolve.storage import hashing
from masksolve.storage.tensors import DTYPES, TensorFile

__all__ = ["MaskRecord", "describe", "read_records"]

KEY = "masksolve"
VERSION = 2
HASH = re.compile(hashing.NAME + ":[0-9a-f]{32}")
NO_HASH = f"{hashing.NAME}:{0:032x}"
T = TypeVar("T")
LONGEST_DTYPE = max(DTYPES, key=len)


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """What is known of a mask, apart from the mask.

    Attributes
    ----------
    shape : tuple of int
        Of the weights.
    pattern : Pattern
    layout : Layout
        Where the matrices lie in that shape.
    method : str
    objective : float
    upper_bound : float or None
    status : Status
    dtype : str or None
        Of the weights that the mask belongs to, as safetensors calls it.
    weights : str or None
        Hash of those weights' bytes. None, as is `dtype`: not known.
    bits : str or None
        Hash of the packed mask; None in files of version 1 and of masked weights.
    """

    shape: tuple[int, ...]
    pattern: Pattern
    layout: Layout
    method: str
    objective: float
    upper_bound: float | None
    status: Status
    dtype: str | None = None
    weights: str | None = None
    bits: str | None = None

    @classmethod
    def of(cls, result: MaskResult, **known: Any) -> MaskRecord:
        """Make the record of a result; known: `dtype`, `weights` and `bits`, if they are."""
        figures = result.objective, result.upper_bound, result.status
        shape, layout = tuple(result.mask.shape), Layout(result.axes)
        return cls(shape, result.pattern, layout, result.method, *figures, **known)

    @classmethod
    def longest(
        cls, shape: tuple[int, ...], pattern: Pattern, layout: Layout, method: str
    ) -> MaskRecord:
        """Make a record that takes no less room than any of such a mask."""
        big = -sys.float_info.max
        method = max(method, "repair", key=len)
        status = max(Status, key=lambda status: len(status.value))
        known = (LONGEST_DTYPE, NO_HASH, NO_HASH)
        return cls(shape, pattern, layout, method, big, big, status, *known)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a file holds it."""
        stack = self.layout.parts > 1
        found: dict[str, Any] = {
            "shape": list(self.shape),
            "pattern": str(self.pattern),
            "layout": "stack" if stack else "matrix",
            "axes": list(self.layout.axes),
        }
        if stack:
            found["parts"] = self.layout.parts
        known = self.weights is not None
        return found | {
            "method": self.method,
            "objective": self.objective,
            "upper_bound": self.upper_bound,
            "status": self.status.value,
            "weights": {"dtype": self.dtype, "hash": self.weights} if known else None,
            "bits": self.bits,
        }

    @classmethod
    def from_json(cls, entry: Any, version: int) -> MaskRecord:
        """Read a record and check that it makes sense.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it does not.
        """
        shape = tuple(_plain(int, n) for n in _plain(list, entry["shape"]))
        # Empty ones too: NumPy refuses sides beyond what an index can hold.
        if len(shape) < 2 or min(shape) < 0 or prod(max(n, 1) for n in shape) >= 2**63:
            raise ValueError("shape")
        bound = entry["upper_bound"]
        found = cls(
            shape,
            Pattern.parse(_plain(str, entry["pattern"])),
            _layout(entry, shape, version),
            _plain(str, entry["method"]),
            _number(entry["objective"]),
            None if bound is None else _number(bound),
            Status(entry["status"]),
        )
        if version == 1:
            return found
        weights, bits = entry["weights"], entry["bits"]
        return replace(
            found,
            dtype=None if weights is None else _plain(str, weights["dtype"]),
            weights=None if weights is None else _hash(weights["hash"]),
            bits=None if bits is None else _hash(bits),
        )


def _layout(entry: Any, shape: tuple[int, ...], version: int) -> Layout:
    first, second = (_plain(int, axis) for axis in _plain(list, entry["axes"]))
    name = "matrix" if version == 1 else entry["layout"]
    parts = {"matrix": 1, "stack": entry.get("parts")}[name]
    layout = Layout((first, second), _plain(int, parts))
    if max(layout.axes) >= len(shape) or shape[0] % layout.parts:
        raise ValueError("axes")
    return layout


def describe(
    kind: str, records: Mapping[str, MaskRecord], checksums: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Make the metadata entry of a file of kind ``"masks"`` or ``"weights"``."""
    entries = {name: record.to_json() for name, record in records.items()}
    content: dict[str, Any] = {"version": VERSION, "kind": kind, "tensors": entries}
    if checksums is not None:
        content["checksums"] = checksums
    return {KEY: json.dumps(content, separators=(",", ":"))}


def read_records(file: TensorFile) -> tuple[str | None, dict[str, MaskRecord]]:
    """Return the kind of a file and its records; None and no records if not ours.

    Raises
    ------
    FileFormatError
        If the metadata or a record is damaged, or of a version to come.
    """
    if KEY not in file.metadata:
        return None, {}
    try:
        content = json.loads(file.metadata[KEY])
        kind, version = content["kind"], content["version"]
        entries: dict[str, Any] = dict(content["tensors"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError(f"{file.path}: its masksolve metadata is damaged") from None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise FileFormatError(
            f"{file.path} is of masksolve format {version}: this version reads 1 to {VERSION}"
        )
    return str(kind), {name: _record(file, name, entry, version) for name, entry in entries.items()}


def _record(file: TensorFile, name: str, entry: Any, version: int) -> MaskRecord:
    try:
        return MaskRecord.from_json(entry, version)
    except (MasksolveError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise FileFormatError(f"{file.path}: the record of mask {name!r} is damaged") from None


def _plain(kind: type[T], value: object) -> T:
    if type(value) is not kind:
        raise TypeError
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise TypeError
    return float(value)  # type: ignore[arg-type]


def _hash(value: object) -> str:
    text = _plain(str, value)
    if HASH.fullmatch(text) is None:
        raise ValueError(text)
    return text
