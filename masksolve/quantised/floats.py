"""Floats of 4 bits: MXFP4 as gpt-oss keeps it, NVFP4 as ModelOpt does."""

from __future__ import annotations

from masksolve.quantised.beside import companions
from masksolve.quantised.coding import Coding
from masksolve.quantised.files import Files
from masksolve.quantised.fitting import Unfit, fit
from masksolve.quantised.found import Found
from masksolve.quantised.packing import Packing

__all__ = ["recognise"]

BLOCKS, SCALES = "_blocks", "_scales"


def recognise(files: Files, name: str) -> Found | None:
    """Take bytes with blocks and scales, or with a scale of scales."""
    spec = files.tensors[name]
    if spec.dtype != "U8" or len(spec.shape) < 2:
        return None
    weight = name.removesuffix(BLOCKS)
    if weight != name and weight + SCALES in files.tensors:
        return _mxfp4(files, name, weight)
    if f"{name}_scale" not in files.tensors:
        return None
    beside = companions(files, name)
    if f"{name}_scale_2" not in files.tensors or files.tensors[f"{name}_scale"].dtype != "F8_E4M3":
        said = f" ({method})" if (method := files.settings.method) else ""
        why = f"its weights are packed in bytes in a way that is not known{said}"
        return Found(name, name, beside, why=why)
    shape = (*spec.shape[:-1], 2 * spec.shape[-1])
    try:
        scales = tuple(fit(files, name + end, name, shape) for end in ("_scale", "_scale_2"))
    except Unfit as error:
        return Found(name, name, beside, wrong=str(error))
    return Found(name, name, beside, Coding("NVFP4", shape, Packing(4, 1), "F4", scales))


def _mxfp4(files: Files, name: str, weight: str) -> Found:
    """Each block is 16 bytes and one power of two; outputs before inputs, in stacks too."""
    held, scale = files.tensors[name].shape, weight + SCALES
    shape = (*held[:-2], held[-2] * held[-1] * 2)
    try:
        powers = fit(files, scale, name, shape, dtype="F8_E8M0")
        if files.tensors[scale].dtype not in ("U8", "F8_E8M0") or powers.shape != held[:-1]:
            raise Unfit(f"{files.where(scale)} does not fit {name!r}: one byte for each block")
    except Unfit as error:
        return Found(name, weight, (scale,), wrong=str(error))
    axes = (len(shape) - 2, len(shape) - 1)
    coding = Coding("MXFP4", shape, Packing(4, 1), "F4", (powers,), axes)
    return Found(name, weight, (scale,), coding)
