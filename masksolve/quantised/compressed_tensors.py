"""compressed-tensors: integers packed in words, NVFP4, MXFP4, and what older releases made."""

from __future__ import annotations

from masksolve.quantised.beside import companions
from masksolve.quantised.coding import Coding
from masksolve.quantised.files import Files
from masksolve.quantised.fitting import Unfit, fit
from masksolve.quantised.found import Found
from masksolve.quantised.packing import Packing

__all__ = ["recognise"]

PACKED = "_packed"
COMPRESSED = ".compressed"
SPARSE = (".bitmask", ".shape", ".row_offsets", ".compressed")
SIDES = ("I32", "I64")
"""Dtypes of the shape of a weight."""
POWERS = ("U8", "F8_E8M0")
MARLIN = ("meta", "scale_packed")


def recognise(files: Files, name: str) -> Found | None:
    """Take ``weight_packed``, and the ``weight.compressed`` of older releases."""
    if name.endswith(COMPRESSED):
        weight = name.removesuffix(COMPRESSED)
        names = [weight + ending for ending in SPARSE if weight + ending != name]
        beside = (*companions(files, weight), *(each for each in names if each in files.tensors))
        why = "it is compressed without its zeros (sparse-24 or bitmask of compressed-tensors)"
        return Found(name, weight, beside, why=f"{why}: decompress the checkpoint first")
    weight, spec = name.removesuffix(PACKED), files.tensors[name]
    if weight == name or len(spec.shape) < 2:
        return None
    beside, scale = companions(files, weight), f"{weight}_scale"
    if scale not in files.tensors:
        module = name.rpartition(".")[0]
        beside += tuple(m for each in MARLIN if (m := f"{module}.{each}") in files.tensors)
        why = "it is packed without a scale that is known (marlin-24 of compressed-tensors?)"
        return Found(name, weight, beside, why=why)
    try:
        coding = (_floats if spec.dtype == "U8" else _integers)(files, name, weight)
    except Unfit as error:
        return Found(name, weight, beside, wrong=str(error))
    if coding is None:
        why = f"its weights are packed in a way that is not known ({spec.dtype})"
        return Found(name, weight, beside, why=why)
    return Found(name, weight, beside, coding)


def _integers(files: Files, name: str, weight: str) -> Coding | None:
    """Read words of integers, kept with half their range added."""
    held, told = files.tensors[name], f"{weight}_shape"
    if held.dtype != "I32" or told not in files.tensors:
        return None
    if files.tensors[told].shape != (len(held.shape),) or files.tensors[told].dtype not in SIDES:
        raise Unfit(f"{files.where(told)} does not hold the sides of {name!r}")
    shape = tuple(int(side) for side in files.place(told).read())
    fits = [p for bits in (4, 8) if (p := Packing(bits, 4)).words(shape) == held.shape]
    if not fits:
        if held.shape[:-1] == shape[:-1]:
            return None  # of other numbers of bits
        sides = " x ".join(map(str, shape))
        raise Unfit(f"{files.where(told)} says {sides}, which does not fit {name!r}")
    packing = fits[0]
    if f"{weight}_g_idx" in files.tensors:
        return None
    scale = fit(files, f"{weight}_scale", name, shape)
    zero, zero_name = None, f"{weight}_zero_point"
    if zero_name in files.tensors:
        if files.tensors[zero_name].dtype != "I32":
            return None
        zero = fit(files, zero_name, name, shape, packing=Packing(packing.bits, 4, axis=-2))
    half = 1 << (packing.bits - 1)
    known = f"int{packing.bits} in words"
    return Coding(known, shape, packing, "U8", (scale,), zero=zero, zero_code=half)


def _floats(files: Files, name: str, weight: str) -> Coding | None:
    """Read floats of 4 bits, two to a byte."""
    *outer, half = files.tensors[name].shape
    shape = (*outer, 2 * half)
    scale, whole = f"{weight}_scale", f"{weight}_global_scale"
    if whole in files.tensors:
        scales = (fit(files, scale, name, shape), fit(files, whole, name, shape, divides=True))
        return Coding("NVFP4", shape, Packing(4, 1), "F4", scales)
    if files.tensors[scale].dtype not in POWERS:
        return None
    powers = fit(files, scale, name, shape, dtype="F8_E8M0")
    return Coding("MXFP4", shape, Packing(4, 1), "F4", (powers,))
