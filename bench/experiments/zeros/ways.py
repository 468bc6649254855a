"""Every conversion that is measured, by name: whose it is, and what keeps zeros there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import plain_torch as plain
from . import tools
from .pruned import Pruned

__all__ = ["PACKAGES", "WAYS", "Way"]

PACKAGES = (
    "masksolve",
    "numpy",
    "torch",
    "bitsandbytes",
    "gguf",
    "hqq",
    "optimum",
    "peft",
    "pywhispercpp",
    "torchao",
)
"""Modules whose packages' versions are named."""


@dataclass(frozen=True)
class Way:
    """A conversion.

    Attributes
    ----------
    group : str
        Under which heading it stands.
    convert : callable
        Takes `Pruned`, returns the weights as they are afterwards.
    """

    group: str
    convert: Callable[[Pruned], Tensor]


CASTS, ROUNDING, QUANTISERS = "Casts and folding", "Rounding by hand", "Quantisers"
GGUF, TRAINING = "GGUF types", "Adapters, averages, training on"

SIMPLE = ["Q8_0", "Q5_0", "Q5_1", "Q4_0", "Q4_1", "TQ1_0", "TQ2_0"]
"""GGUF types that the package gguf writes itself; ggml writes the others."""
BY_GGML = ["Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K", "IQ4_NL", "IQ4_XS", "IQ3_S", "MXFP4", "NVFP4"]


def _muon(weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Muon(weights)


WAYS = {
    "torch: bfloat16": Way(CASTS, plain.cast(torch.bfloat16)),
    "torch: float8_e4m3fn, a scale": Way(CASTS, plain.cast(torch.float8_e4m3fn)),
    "torch: float8_e5m2, a scale": Way(CASTS, plain.cast(torch.float8_e5m2)),
    "torch: batch norm folded in": Way(CASTS, plain.batch_norm),
    "torch: rotated and rotated back": Way(CASTS, plain.rotated),
    "torch: 8 bits, whole zero points": Way(ROUNDING, plain.eight_bits),
    "torch: 4 bits, real zero points": Way(ROUNDING, plain.real_zero_points),
    "GPTQ's rounding, 4 bits": Way(ROUNDING, plain.gptq(hold=False)),
    "GPTQ's rounding, mask held": Way(ROUNDING, plain.gptq(hold=True)),
    "bitsandbytes: NF4": Way(QUANTISERS, tools.bitsandbytes_four("nf4")),
    "bitsandbytes: FP4": Way(QUANTISERS, tools.bitsandbytes_four("fp4")),
    "bitsandbytes: 8 bits, rows": Way(QUANTISERS, tools.bitsandbytes_rows),
    "bitsandbytes: 8 bits, blocks": Way(QUANTISERS, tools.bitsandbytes_blocks),
    "torchao: int8": Way(QUANTISERS, tools.torchao("Int8WeightOnlyConfig")),
    "torchao: float8": Way(QUANTISERS, tools.torchao("Float8WeightOnlyConfig")),
    "torchao: int4, symmetric": Way(
        QUANTISERS, tools.torchao("IntxWeightOnlyConfig", "int4", "SYMMETRIC")
    ),
    "torchao: int4, zero points": Way(
        QUANTISERS, tools.torchao("IntxWeightOnlyConfig", "int4", "ASYMMETRIC")
    ),
    "torchao: int4 for its kernels": Way(QUANTISERS, tools.torchao("Int4WeightOnlyConfig")),
    "quanto: qint8": Way(QUANTISERS, tools.quanto("qint8")),
    "quanto: qfloat8": Way(QUANTISERS, tools.quanto("qfloat8")),
    "quanto: qint4": Way(QUANTISERS, tools.quanto("qint4")),
    "quanto: qint2": Way(QUANTISERS, tools.quanto("qint2")),
    "HQQ: 4 bits, its configuration": Way(QUANTISERS, tools.hqq(optimize=True)),
    "HQQ: 4 bits, optimize=False": Way(QUANTISERS, tools.hqq(optimize=False)),
    **{f"GGUF: {kind}": Way(GGUF, tools.gguf(kind)) for kind in SIMPLE},
    **{f"GGUF: {kind}": Way(GGUF, tools.ggml(kind)) for kind in BY_GGML},
    "PEFT: LoRA merged": Way(TRAINING, tools.lora(hold=False)),
    "PEFT: LoRA merged, times the mask": Way(TRAINING, tools.lora(hold=True)),
    "torchao: QAT, prepared and converted": Way(TRAINING, tools.qat(steps=0)),
    "torchao: QAT, trained between": Way(TRAINING, tools.qat(steps=tools.STEPS)),
    "torchao: QAT, trained, mask after each step": Way(
        TRAINING, tools.qat(steps=tools.STEPS, hold=True)
    ),
    "torch: averaged, one mask": Way(TRAINING, plain.averaged(renewed=False)),
    "torch: averaged, mask renewed": Way(TRAINING, plain.averaged(renewed=True)),
    "torch: averaged, mask renewed, solved anew": Way(TRAINING, plain.soup),
    "torch: AdamW, no mask": Way(TRAINING, plain.adamw),
    "masksolve: AdamW, static mask": Way(TRAINING, plain.held(torch.optim.AdamW)),
    "masksolve: Muon, static mask": Way(TRAINING, plain.held(_muon)),
}
