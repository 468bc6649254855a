"""torchao: tensors of its own classes, taken apart as ``_weight_qdata``, ``_weight_scale``, ..."""

from __future__ import annotations

import json

from masksolve.quantised.beside import BYTES, make
from masksolve.quantised.files import Files
from masksolve.quantised.found import Found

__all__ = ["recognise"]

CODES = "_qdata"
PLAIN = frozenset({"Int8Tensor", "Float8Tensor", "IntxUnpackedToInt8Tensor", ""})
"""Classes that keep a code in a byte of its own."""


def recognise(files: Files, name: str) -> Found | None:
    """Take what the header names a tensor of a class, or names alone show to be one."""
    module, _, last = name.rpartition(".")
    if not (last.startswith("_") and last.endswith(CODES)):
        return None
    own = last.removeprefix("_").removesuffix(CODES)
    weight, stem = f"{module}.{own}".lstrip("."), name.removesuffix(CODES)
    scale, kind = f"{stem}_scale", _class(files, weight)
    if kind in PLAIN and files.tensors[name].dtype in BYTES and scale in files.tensors:
        return make(files, name, weight, scale, f"{stem}_zero_point")
    beside = tuple(
        each for each in files.of_module(module) if each.startswith(f"{stem}_") and each != name
    )
    why = f"its format is torchao's {kind or 'own'}, which packs codes in an order of its own"
    return Found(name, weight, beside, why=why)


def _class(files: Files, weight: str) -> str:
    try:
        return str(json.loads(files.metadata[weight])["_type"])
    except (KeyError, TypeError, ValueError):
        return ""
