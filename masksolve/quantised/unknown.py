"""Codes of formats that are not known: told by the scales that stand beside them."""

from __future__ import annotations

import re

from masksolve.quantised.files import Files
from masksolve.quantised.found import Found

__all__ = ["recognise"]

INTEGERS = frozenset({"I8", "U8", "I16", "U16", "I32", "U32", "I64", "F4", "F6_E2M3", "F6_E3M2"})
BESIDE = re.compile(r"(^|_)(scales?|scale_and_zeros?|zeros?|zero_points?|absmax|codebooks?|s_\w+)$")
"""What stands beside codes, by the last part of its name."""


def recognise(files: Files, name: str) -> Found | None:
    """Take a matrix of whole numbers, or of what is narrower than a byte, that has scales."""
    spec, module = files.tensors[name], name.rpartition(".")[0]
    if spec.dtype not in INTEGERS or len(spec.shape) < 2:
        return None
    if BESIDE.search(name.rpartition(".")[2]):
        return None
    near = [each for each in files.of_module(module) if each != name]
    beside = tuple(each for each in near if BESIDE.search(each.rpartition(".")[2]))
    if not beside:
        return None
    said = f" ({method})" if (method := files.settings.method) else ""
    why = f"it is quantised, in a format that is not known{said}; {spec.dtype} has no floats"
    return Found(name, name, beside, why=why)
