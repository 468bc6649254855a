"""bitsandbytes: LLM.int8() with its row scales, and 4 bits by a table."""

from __future__ import annotations

from dataclasses import replace

from masksolve.quantised.beside import make
from masksolve.quantised.files import Files
from masksolve.quantised.found import Found

__all__ = ["recognise"]

LARGEST = 127
"""What a row's largest weight becomes: ``SCB`` holds that weight, not the scale."""


def recognise(files: Files, name: str) -> Found | None:
    """Take int8 with ``SCB`` beside it, and bytes with ``absmax`` and a ``quant_state``."""
    spec, module = files.tensors[name], name.rpartition(".")[0]
    rows = f"{module}.SCB"
    if spec.dtype == "I8" and rows in files.tensors and len(spec.shape) == 2:
        found = make(files, name, name, rows, "")
        form = f"{module}.weight_format"
        beside = (*found.companions, *(each for each in (form,) if each in files.tensors))
        if form in files.tensors and _in_other_order(files, form):
            why = "its rows are in an order for older GPUs, as weight_format says"
            return replace(found, companions=beside, coding=None, why=why)
        if found.coding is None:
            return replace(found, companions=beside)
        coding = replace(found.coding, format="LLM.int8()", factor=1 / LARGEST)
        return replace(found, companions=beside, coding=coding)
    if f"{name}.absmax" not in files.tensors:
        return None
    beside = (*files.of_module(name), *files.of_module(f"{name}.quant_state"))
    state = next((each for each in beside if ".quant_state." in each), "")
    kind = state.rpartition("__")[2].upper() or "4 bits"
    why = f"its format is {kind} of bitsandbytes: codes of a table, in blocks that cross rows"
    return Found(name, name, beside, why=why)


def _in_other_order(files: Files, form: str) -> bool:
    return files.tensors[form].dtype != "U8" or bool(files.place(form).read().any())
