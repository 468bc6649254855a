"""What other people's quantisers and adapters do to weights; each is imported where it is used."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.metadata import files
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .pruned import Pruned

__all__ = [
    "bitsandbytes_blocks",
    "bitsandbytes_four",
    "bitsandbytes_rows",
    "ggml",
    "gguf",
    "hqq",
    "lora",
    "qat",
    "quanto",
    "torchao",
]

Convert = Callable[[Pruned], Tensor]
RATE = 3e-3
"""So that a few steps take weights past half a level."""
STEPS = 3


def bitsandbytes_four(kind: str) -> Convert:
    """Round to bitsandbytes' table of 16 numbers, ``"nf4"`` or ``"fp4"``."""

    def convert(pruned: Pruned) -> Tensor:
        from bitsandbytes import functional

        packed, state = functional.quantize_4bit(pruned.weight, quant_type=kind)
        found: Tensor = functional.dequantize_4bit(packed, state)
        return found

    return convert


def bitsandbytes_rows(pruned: Pruned) -> Tensor:
    """Round to bitsandbytes' 8 bits with a scale a row."""
    from bitsandbytes import functional

    packed, scales, _ = functional.int8_vectorwise_quant(pruned.weight.half())
    found: Tensor = functional.int8_vectorwise_dequant(packed, scales)
    return found.float()


def bitsandbytes_blocks(pruned: Pruned) -> Tensor:
    """Round to bitsandbytes' table of 256 numbers with a scale a block."""
    from bitsandbytes import functional

    packed, state = functional.quantize_blockwise(pruned.weight)
    found: Tensor = functional.dequantize_blockwise(packed, state)
    return found


def torchao(config: str, dtype: str = "", mapping: str = "") -> Convert:
    """Quantise a layer by a configuration of torchao; groups of 32 where it takes a type."""

    def convert(pruned: Pruned) -> Tensor:
        from torchao import quantization

        options: dict[str, Any] = {}
        if dtype:
            options["weight_dtype"] = getattr(torch, dtype)
            options["mapping_type"] = quantization.MappingType[mapping]
            options["granularity"] = quantization.PerGroup(32)
        model = nn.Sequential(pruned.linear())
        quantization.quantize_(model, getattr(quantization, config)(**options))
        found: Tensor = model[0].weight.dequantize()
        return found.detach()

    return convert


def qat(*, steps: int, hold: bool = False) -> Convert:
    """Prepare a layer for training in 4 bits, train it, and convert it.

    `hold`: what is pruned is set to zero again after every step.
    """

    def convert(pruned: Pruned) -> Tensor:
        from torchao import quantization
        from torchao.quantization.qat import QATConfig

        base = quantization.IntxWeightOnlyConfig(
            weight_dtype=torch.int4, granularity=quantization.PerGroup(32)
        )
        model, inputs = nn.Sequential(pruned.linear()), pruned.inputs(64)
        quantization.quantize_(model, QATConfig(base, step="prepare"))
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            (model(inputs) - inputs[:, :1]).square().mean().backward()
            optimizer.step()
            if hold:
                model[0].weight.data.mul_(pruned.mask)
        quantization.quantize_(model, QATConfig(base, step="convert"))
        found: Tensor = model[0].weight.dequantize()
        return found.detach()

    return convert


def quanto(kind: str) -> Convert:
    """Quantise and freeze a layer by a type of optimum-quanto."""

    def convert(pruned: Pruned) -> Tensor:
        from optimum import quanto as tool

        model = nn.Sequential(pruned.linear())
        tool.quantize(model, weights=getattr(tool, kind))
        tool.freeze(model)
        found: Tensor = model[0].weight.dequantize()
        return found.detach()

    return convert


def hqq(*, optimize: bool) -> Convert:
    """Quantise to 4 bits as HQQ's own configuration has it, or without its optimisation."""

    def convert(pruned: Pruned) -> Tensor:
        from hqq.core.quantize import BaseQuantizeConfig, Quantizer

        options = BaseQuantizeConfig()["weight_quant_params"] | {"optimize": optimize}
        packed, meta = Quantizer.quantize(
            pruned.weight, device="cpu", compute_dtype=torch.float32, **options
        )
        found: Tensor = Quantizer.dequantize(packed, meta)
        return found.float()

    return convert


def gguf(kind: str) -> Convert:
    """Write and read a GGUF type with the package gguf."""

    def convert(pruned: Pruned) -> Tensor:
        from gguf import GGMLQuantizationType, quants

        there = quants.quantize(pruned.weight.numpy(), GGMLQuantizationType[kind])
        back = quants.dequantize(there, GGMLQuantizationType[kind])
        return torch.from_numpy(np.array(back, np.float32))

    return convert


def ggml(kind: str) -> Convert:
    """Write a GGUF type with ggml, as pywhispercpp brings it; read it with the package gguf."""

    def convert(pruned: Pruned) -> Tensor:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

        there = (str(file.locate()) for file in files("pywhispercpp") or ())
        library = ctypes.CDLL(next(path for path in there if "libggml-base" in path))
        library.ggml_quantize_chunk.restype = ctypes.c_size_t
        library.ggml_quantize_chunk.argtypes = [
            ctypes.c_int,
            *(ctypes.c_void_p,) * 2,
            *(ctypes.c_int64,) * 3,
            ctypes.c_void_p,
        ]
        number, weight = GGMLQuantizationType[kind], np.ascontiguousarray(pruned.weight.numpy())
        rows, columns = weight.shape
        size, length = GGML_QUANT_SIZES[number]
        out = np.zeros((rows, columns // size * length), np.uint8)
        library.ggml_quantize_chunk(
            number.value, weight.ctypes.data, out.ctypes.data, 0, rows, columns, None
        )
        return torch.from_numpy(np.array(quants.dequantize(out, number), np.float32))

    return convert


def lora(*, hold: bool) -> Convert:
    """Merge an adapter of rank 4 into a layer; `hold`: the merged weight times the mask."""

    def convert(pruned: Pruned) -> Tensor:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(
            nn.Sequential(pruned.linear()), LoraConfig(r=4, target_modules=["0"])
        )
        random = pruned.random()
        with torch.no_grad():
            for name, values in model.named_parameters():
                if "lora_" in name:
                    values.copy_(0.01 * torch.randn(values.shape, generator=random))
        merged: Tensor = model.merge_and_unload()[0].weight.detach()
        return merged * pruned.mask if hold else merged

    return convert
