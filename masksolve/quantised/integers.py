"""GPTQ and AWQ: ``qweight``, ``qzeros`` and ``scales``, inputs first."""

from __future__ import annotations

from dataclasses import replace

from masksolve.quantised.coding import Coding
from masksolve.quantised.files import Files
from masksolve.quantised.fitting import Unfit, fit
from masksolve.quantised.found import Found
from masksolve.quantised.packing import Packing

__all__ = ["recognise"]

COMPANIONS = ("qzeros", "scales", "g_idx", "perm")
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
INPUTS = -2


def recognise(files: Files, name: str) -> Found | None:
    """Take a ``qweight``; sides tell along which axis its codes are packed."""
    module, _, last = name.rpartition(".")
    spec = files.tensors[name]
    if last != "qweight" or spec.dtype != "I32" or len(spec.shape) != 2:
        return None
    weight = f"{module}.weight".lstrip(".")
    names = {each: f"{module}.{each}".lstrip(".") for each in COMPANIONS}
    beside = tuple(each for each in names.values() if each in files.tensors)
    bits = _bits(files, names)
    if bits is None:
        why = "its format is like GPTQ's and AWQ's, and not known"
        return Found(name, weight, beside, why=why)
    outputs = files.tensors[names["scales"]].shape[1]
    try:
        if spec.shape[1] == outputs:
            coding = _gptq(files, name, names, bits)
        elif spec.shape[1] * 8 == outputs and bits == 4:
            coding = _awq(files, name, names)
        else:
            raise Unfit(f"{files.where(names['scales'])} does not fit {name!r}, {spec.shape}")
    except Unfit as error:
        return Found(name, weight, beside, wrong=str(error))
    return Found(name, weight, beside, coding)


def _bits(files: Files, names: dict[str, str]) -> int | None:
    """Tell from zero points and scales how many bits a code has."""
    known = files.tensors
    held = [known[names[each]].shape for each in ("scales", "qzeros") if names[each] in known]
    if [len(shape) for shape in held] != [2, 2] or known[names["qzeros"]].dtype != "I32":
        return None
    if "gemv" in str(files.settings.content.get("version")):  # of AWQ: outputs first
        return None
    (_, outputs), (_, words) = held
    return next((bits for bits in (2, 4, 8) if outputs * bits == words * 32), None)


def _gptq(files: Files, name: str, names: dict[str, str], bits: int) -> Coding:
    """Words along inputs; zero points are stored less one, word by word, but in version 2."""
    packing = Packing(bits, 4, axis=-2)
    words, outputs = files.tensors[name].shape
    shape = (words * packing.codes, outputs)
    second = files.settings.content.get("checkpoint_format") == "gptq_v2"
    ones = 0 if second else sum(1 << k for k in range(0, 32, bits))
    scale = fit(files, names["scales"], name, shape, inner=INPUTS)
    own = Packing(bits, 4)
    zero = fit(files, names["qzeros"], name, shape, packing=own, ones=ones, inner=INPUTS)
    if names["g_idx"] in files.tensors:
        groups = files.place(names["g_idx"])
        if groups.dtype not in ("I32", "I64"):
            raise Unfit(f"{files.where(groups.name)} is {groups.dtype}, and no numbers of groups")
        if groups.shape != shape[:1]:
            raise Unfit(
                f"{files.where(groups.name)} has {groups.shape} entries, which does not fit "
                f"{name!r} of {shape[0]} inputs"
            )
        scale, zero = replace(scale, groups=groups), replace(zero, groups=groups)
    return Coding(f"GPTQ of {bits} bits", shape, packing, "U8", (scale,), (1, 0), zero)


def _awq(files: Files, name: str, names: dict[str, str]) -> Coding:
    """Words along outputs, in an order of their own."""
    packing = Packing(4, 4, order=AWQ_ORDER)
    inputs, words = files.tensors[name].shape
    shape = (inputs, words * packing.codes)
    scale = fit(files, names["scales"], name, shape, inner=INPUTS)
    zero = fit(files, names["qzeros"], name, shape, packing=packing, inner=INPUTS)
    return Coding("AWQ", shape, packing, "U8", (scale,), (1, 0), zero)
