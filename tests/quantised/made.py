"""Small quantised layers by hand, to each format's specification, and their weights again.

Nothing here is ours: codes are taken apart bit by bit, and multiplied in float64. That the
libraries themselves read eleven of them so is seen by ``python -m tests.quantised.libraries``.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

FP8, BF16 = ml_dtypes.float8_e4m3fn, ml_dtypes.bfloat16
FP4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6]
OUT, IN, GROUP = 20, 64, 16


class Made(NamedTuple):
    """A file with one quantised layer."""

    tensors: dict[str, Any]
    name: str
    """Of the tensor with the codes."""
    weights: Callable[[dict[str, Any]], Any]
    """The real weights, (out, in), of such tensors."""
    config: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    inputs_first: bool = False


def fields(words, bits):
    """Take words apart, lowest bits first; one more axis."""
    size = words.dtype.itemsize * 8
    held = words.astype(np.uint64) & np.uint64((1 << size) - 1)
    parts = [held >> np.uint64(k) & np.uint64((1 << bits) - 1) for k in range(0, size, bits)]
    return np.stack(parts, axis=-1).astype(np.int64)


def joined(codes, bits, dtype):
    """Undo `fields`."""
    found = np.zeros(codes.shape[:-1], dtype=np.uint64)
    for k in range(codes.shape[-1]):
        found |= codes[..., k].astype(np.uint64) << np.uint64(k * bits)
    return found.astype(np.dtype(dtype).str.replace("i", "u")).view(dtype)


def spread(grid, sides, shape):
    """Repeat each number over its block, and cut off what is too much."""
    for axis, side in enumerate(sides):
        grid = np.repeat(np.asarray(grid, dtype=np.float64), side, axis=axis)
    return grid[tuple(map(slice, shape))]


def normal(rng, *shape):
    return rng.normal(size=shape)


def scales(rng, *shape, dtype=np.float32):
    return rng.uniform(0.01, 0.1, shape).astype(dtype)


def beside(name, codes, sides, scale, dtype=FP8, **others):
    """Codes of a byte and one scale for each block."""
    tensors = {"fc.weight": codes, f"fc.{name}": scale, **others}

    def weights(tensors):
        codes, grid = tensors["fc.weight"], np.atleast_1d(tensors[f"fc.{name}"])
        grid = grid.reshape(grid.shape if grid.ndim == 2 else (-1, 1)).astype(np.float64)
        found = codes.astype(np.float64)
        if "fc.weight_zero_point" in tensors:
            found = found - spread(tensors["fc.weight_zero_point"], sides, codes.shape)
        return found * spread(grid, sides, codes.shape)

    return Made(tensors, "fc.weight", weights)


def fp8_dynamic(rng):
    codes = (normal(rng, OUT, IN) * 50).astype(FP8)
    return beside("weight_scale", codes, (1, IN), scales(rng, OUT, 1, dtype=BF16))


def fp8_static(rng):
    codes, one = (normal(rng, OUT, IN) * 50).astype(FP8), scales(rng, 1)
    return beside("weight_scale", codes, (OUT, IN), one, **{"fc.input_scale": scales(rng, 1)})


def fp8_block(rng):
    """DeepSeek's: both sides leave a rest; the scales' name says inverse, and they multiply."""
    shape = (136, 264)
    codes = (normal(rng, *shape) * 50).astype(FP8)
    found = beside("weight_scale_inv", codes, (128, 128), scales(rng, 2, 3))
    block = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    return found._replace(config={"quantization_config": block})


def fp8_block_powers(rng):
    """The same with powers of two for scales, as DeepSeek's later ones."""
    made, powers = fp8_block(rng), 2.0 ** rng.integers(-9, -3, (2, 3))
    made.tensors["fc.weight_scale_inv"] = powers.astype(ml_dtypes.float8_e8m0fnu)
    return made


def int8_channel(rng):
    codes = rng.integers(-127, 128, (OUT, IN)).astype(np.int8)
    return beside("weight_scale", codes, (1, IN), scales(rng, OUT, 1, dtype=BF16))


def int8_zero_points(rng):
    codes = rng.integers(-128, 128, (OUT, IN)).astype(np.int8)
    zeros = rng.integers(-20, 20, (OUT, IN // GROUP)).astype(np.int8)
    scale = scales(rng, OUT, IN // GROUP)
    return beside("weight_scale", codes, (1, GROUP), scale, **{"fc.weight_zero_point": zeros})


def llm_int8(rng):
    """bitsandbytes: ``SCB`` is the largest magnitude of a row, not the scale."""
    codes = rng.integers(-127, 128, (OUT, IN)).astype(np.int8)
    found = beside("SCB", codes, (1, IN), scales(rng, OUT))
    found.tensors["fc.weight_format"] = np.uint8(0).reshape(())
    return found._replace(weights=lambda tensors: found.weights(tensors) / 127)


def packed(rng, bits, symmetric):
    """compressed-tensors: words along inputs, half the range added; zero points along outputs."""
    half, per, groups = 1 << (bits - 1), 32 // bits, IN // GROUP
    codes = rng.integers(-half, half, (OUT, IN)) + half
    tensors = {
        "fc.weight_packed": joined(codes.reshape(OUT, -1, per), bits, np.int32),
        "fc.weight_scale": scales(rng, OUT, groups if not symmetric else 1, dtype=BF16),
        "fc.weight_shape": np.array([OUT, IN]),
    }
    if not symmetric:
        zeros = np.zeros((-(-OUT // per) * per, groups), dtype=np.int64)
        zeros[:OUT] = rng.integers(-half, half, (OUT, groups)) + half
        cut = zeros.reshape(-1, per, groups).transpose(0, 2, 1)
        tensors["fc.weight_zero_point"] = joined(cut, bits, np.int32)

    def weights(tensors):
        found = fields(tensors["fc.weight_packed"], bits).reshape(OUT, IN) - half
        if not symmetric:
            zeros = fields(tensors["fc.weight_zero_point"], bits).transpose(0, 2, 1)
            zeros = zeros.reshape(-1, groups)[:OUT] - half
            found = found - spread(zeros, (1, GROUP), (OUT, IN))
        side = IN if symmetric else GROUP
        return found * spread(tensors["fc.weight_scale"], (1, side), (OUT, IN))

    return Made(tensors, "fc.weight_packed", weights)


def w8a16_packed(rng):
    return packed(rng, 8, symmetric=True)


def w4a16(rng):
    return packed(rng, 4, symmetric=False)


def gptq(rng, bits=4, version=1):
    """Words along inputs, groups by ``g_idx``, zero points less one in version 1."""
    per, groups, out = 32 // bits, IN // GROUP, 2 * GROUP
    codes = rng.integers(0, 1 << bits, (IN, out))
    zeros = rng.integers(1, 1 << bits, (groups, out))
    less = 1 if version == 1 else 0
    tensors = {
        "fc.g_idx": rng.permutation(np.arange(IN) // GROUP).astype(np.int32),
        "fc.qweight": joined(codes.reshape(-1, per, out).transpose(0, 2, 1), bits, np.int32),
        "fc.qzeros": joined(zeros.reshape(groups, -1, per) - less, bits, np.int32),
        "fc.scales": scales(rng, groups, out, dtype=np.float16),
    }

    def weights(tensors):
        found = fields(tensors["fc.qweight"], bits).transpose(0, 2, 1).reshape(IN, out)
        zeros = fields(tensors["fc.qzeros"], bits).reshape(groups, out) + less
        rows = tensors["fc.g_idx"]
        return ((found - zeros[rows]) * tensors["fc.scales"][rows].astype(np.float64)).T

    config = {"quant_method": "gptq", "bits": bits, "group_size": GROUP}
    config |= {"checkpoint_format": "gptq_v2"} if version == 2 else {}
    whole = {"quantization_config": config}
    return Made(tensors, "fc.qweight", weights, config=whole, inputs_first=True)


def gptq_8_bits(rng):
    return gptq(rng, bits=8, version=2)


def awq(rng):
    """Words along outputs; the k-th field of a word is column (0, 2, 4, 6, 1, 3, 5, 7)[k]."""
    order, groups, out = [0, 2, 4, 6, 1, 3, 5, 7], IN // GROUP, 2 * GROUP
    codes, zeros = rng.integers(0, 16, (IN, out)), rng.integers(0, 16, (groups, out))

    def words(codes):
        return joined(codes.reshape(len(codes), -1, 8)[..., order], 4, np.int32)

    def columns(words):
        found = np.empty((*words.shape, 8), dtype=np.int64)
        found[..., order] = fields(words, 4)
        return found.reshape(len(words), out)

    tensors = {
        "fc.qweight": words(codes),
        "fc.qzeros": words(zeros),
        "fc.scales": scales(rng, groups, out, dtype=np.float16),
    }

    def weights(tensors):
        zeros, scale = columns(tensors["fc.qzeros"]), tensors["fc.scales"].astype(np.float64)
        found = columns(tensors["fc.qweight"]) - np.repeat(zeros, GROUP, axis=0)
        return (found * np.repeat(scale, GROUP, axis=0)).T

    config = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm"}
    whole = {"quantization_config": config}
    return Made(tensors, "fc.qweight", weights, config=whole, inputs_first=True)


def fp4(words):
    return np.array(FP4)[fields(words, 4)].reshape(*words.shape[:-1], -1)


def mxfp4(rng):
    """As gpt-oss keeps its experts: (experts, out, blocks, 16 bytes), a power of two a block."""
    experts, blocks = 2, 2
    tensors = {
        "mlp.experts.gate_up_proj_blocks": rng.integers(0, 256, (experts, OUT, blocks, 16)),
        "mlp.experts.gate_up_proj_scales": rng.integers(118, 124, (experts, OUT, blocks)),
    }
    tensors = {name: array.astype(np.uint8) for name, array in tensors.items()}
    first, second = tensors

    def weights(tensors):
        powers = 2.0 ** (tensors[second].astype(np.float64) - 127)
        return fp4(tensors[first]).reshape(experts, OUT, -1) * np.repeat(powers, 32, axis=2)

    return Made(tensors, first, weights, config={"model_type": "gpt_oss"})


def nvfp4(rng):
    """compressed-tensors: the scale of scales divides."""
    tensors = {
        "fc.weight_packed": rng.integers(0, 256, (OUT, IN // 2)).astype(np.uint8),
        "fc.weight_scale": rng.uniform(1, 400, (OUT, IN // 16)).astype(FP8),
        "fc.weight_global_scale": np.array([3000], dtype=np.float32),
    }

    def weights(tensors):
        scale = spread(tensors["fc.weight_scale"], (1, 16), (OUT, IN))
        return fp4(tensors["fc.weight_packed"]) * scale / 3000.0

    return Made(tensors, "fc.weight_packed", weights)


def nvfp4_modelopt(rng):
    """ModelOpt: the scale of scales multiplies."""
    made = nvfp4(rng).tensors
    tensors = {
        "fc.weight": made["fc.weight_packed"],
        "fc.weight_scale": made["fc.weight_scale"],
        "fc.weight_scale_2": np.float32(0.001).reshape(()),
    }

    def weights(tensors):
        scale = spread(tensors["fc.weight_scale"], (1, 16), (OUT, IN))
        return fp4(tensors["fc.weight"]) * scale * float(np.float32(0.001))

    return Made(tensors, "fc.weight", weights)


def torchao(rng):
    """A tensor of a class of torchao's, taken apart."""
    made = int8_zero_points(rng)
    names = {"fc.weight": "qdata", "fc.weight_scale": "scale", "fc.weight_zero_point": "zero_point"}
    own = {name: f"fc._weight_{last}" for name, last in names.items()}
    tensors = {own[name]: array for name, array in made.tensors.items()}
    kind = json.dumps({"_type": "IntxUnpackedToInt8Tensor", "_data": {}})
    metadata = {"fc.weight": kind, "tensor_names": json.dumps(["fc.weight"])}

    def weights(tensors):
        return made.weights({name: tensors[each] for name, each in own.items()})

    return Made(tensors, own["fc.weight"], weights, metadata=metadata)


FORMATS = (
    fp8_dynamic, fp8_static, fp8_block, fp8_block_powers, int8_channel, int8_zero_points, llm_int8,
    w8a16_packed, w4a16, gptq, gptq_8_bits, awq, mxfp4, nvfp4, nvfp4_modelopt, torchao,
)  # fmt: skip
