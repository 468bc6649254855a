"""Codes of formats that are not known: told by the scales that stand beside them."""

from __future__ import annotations

import re

from masksolve.quantised.files import Files
from masksolve.quantised.found import Found
from masksolve.storage.tensors import OTHERS, describe_dtype

__all__ = ["recognise"]

CODES = frozenset({"I8", "U8", "I16", "U16", "I32", "U32", *OTHERS}) - {"C64"}
BESIDE = re.compile(
    r"(^|_)(scales?(_inv|_2)?|scale_and_zeros?|zeros?|zero_points?|absmax|codebooks|s_group|s_channel)$"
)
"""What stands beside codes, by the last part of its name."""


def recognise(files: Files, name: str) -> Found | None:
    """Take a matrix of what cannot be read as floats, that has scales."""
    spec, module = files.tensors[name], name.rpartition(".")[0]
    if spec.dtype not in CODES or len(spec.shape) < 2:
        return None
    if BESIDE.search(name.rpartition(".")[2]):
        return None
    near = [each for each in files.of_module(module) if each != name]
    beside = tuple(each for each in near if BESIDE.search(each.rpartition(".")[2]))
    if not beside:
        return None
    said = f" ({method})" if (method := files.settings.method) else ""
    why = f"it is quantised, in a format that is not known{said}: {describe_dtype(spec.dtype)}"
    return Found(name, name, beside, why=why)
