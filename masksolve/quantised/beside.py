"""Codes under the weight's own name, or another, and scales beside them.

FP8 and int8 of compressed-tensors, ModelOpt, FBGEMM and DeepSeek; stacks of experts too.
"""

from __future__ import annotations

from masksolve.quantised.coding import Coding
from masksolve.quantised.files import Files
from masksolve.quantised.fitting import Unfit, fit
from masksolve.quantised.found import Found
from masksolve.quantised.packing import Packing

__all__ = ["BYTES", "COMPANIONS", "make", "recognise"]

BYTES = frozenset({"I8", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
"""Dtypes of codes of a byte each."""
SCALES = ("_scale_inv", "_scale")
COMPANIONS = (
    *SCALES, "_zero_point", "_shape", "_g_idx", "_global_scale", "_scale_2",
)  # fmt: skip
INPUTS = (
    "input_scale", "input_zero_point", "input_global_scale", "activation_scale", "pre_quant_scale",
    "output_scale", "k_scale", "v_scale", "q_scale",
)  # fmt: skip
"""What a layer has for its activations."""


def recognise(files: Files, name: str) -> Found | None:
    """Take a tensor of codes of a byte for a weight if it has scales."""
    spec, module = files.tensors[name], name.rpartition(".")[0]
    if spec.dtype not in BYTES or len(spec.shape) < 2:
        return None
    names = [name + ending for ending in SCALES]
    if name.endswith(".weight"):
        names.append(f"{module}.scale")
    scale = next((each for each in names if each in files.tensors), None)
    if scale is None:
        return None
    if spec.dtype == "I8" and files.tensors[scale].dtype == "F8_E8M0":
        why = "its weights are floats of 4 bits in bytes of I8, with powers of two for scales"
        return Found(name, name, companions(files, name), why=f"{why}: they cannot be told apart")
    return make(files, name, name, scale, f"{name}_zero_point")


def companions(files: Files, name: str) -> tuple[str, ...]:
    """Name what belongs to a weight, whatever of it is there."""
    module = name.rpartition(".")[0]
    names = [name + ending for ending in COMPANIONS]
    names += [f"{module}.{each}" for each in ("scale", *INPUTS)]
    return tuple(each for each in names if each in files.tensors)


def make(files: Files, name: str, weight: str, scale: str, zero: str) -> Found:
    """Put together codes of a byte each, their scale, and a zero point if there is one."""
    spec = files.tensors[name]
    beside = *companions(files, weight), *(each for each in (scale, zero) if each in files.tensors)
    known = {"I8": "int8"}.get(spec.dtype, "FP8")
    try:
        scales = (fit(files, scale, name, spec.shape),)
        zeros = fit(files, zero, name, spec.shape) if zero in files.tensors else None
    except Unfit as error:
        return Found(name, weight, beside, wrong=str(error))
    if zeros is not None and zeros.place.dtype != spec.dtype:
        why = f"its zero points are {zeros.place.dtype}, and no codes of {known}"
        return Found(name, weight, beside, why=why)
    coding = Coding(known, spec.shape, Packing(), spec.dtype, scales, zero=zeros)
    return Found(name, weight, beside, coding)
