"""The same layers as the libraries themselves read them: outside CI, for they are large.

``python -m tests.quantised.libraries``, with compressed-tensors, torchao, bitsandbytes, autoawq and
transformers there; run with 0.20.1, 0.18.0, 0.50.2, 0.2.9 and 5.24.0.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch

from tests.quantised import made as by_hand


def tensor(array):
    """As torch has it; NumPy's float8 and bfloat16 go by their bytes."""
    kinds = {"float8_e4m3fn": torch.float8_e4m3fn, "bfloat16": torch.bfloat16}
    if array.dtype.name in kinds:
        raw = torch.from_numpy(array.view(f"i{array.dtype.itemsize}").copy())
        return raw.view(kinds[array.dtype.name])
    return torch.from_numpy(np.ascontiguousarray(array))


def own(made):
    """The tensors of the layer, without its name."""
    return {name.removeprefix("fc."): tensor(array) for name, array in made.tensors.items()}


def compressed(known, made, **scheme):
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    arguments = QuantizationArgs(**scheme)
    whole = QuantizationScheme(targets=["Linear"], weights=arguments)
    compressor = BaseCompressor.get_value_from_registry(known)
    state = {key: value for key, value in own(made).items() if not key.startswith("input")}
    return compressor.decompress(state, whole)["weight"]


def of_compressed_tensors(rng):
    full = {"strategy": "channel", "symmetric": True}
    groups = {"num_bits": 4, "strategy": "group", "group_size": by_hand.GROUP}
    float8, int8 = {"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "int"}
    yield "fp8_dynamic", "float-quantized", float8 | full
    yield "fp8_static", "float-quantized", float8 | {"strategy": "tensor"}
    yield "int8_channel", "int-quantized", int8 | full
    yield "w8a16_packed", "pack-quantized", int8 | full
    yield "w4a16", "pack-quantized", groups | {"type": "int", "symmetric": False}
    tiny = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
    yield "nvfp4", "nvfp4-pack-quantized", tiny


def of_torchao(made):
    from torchao.quantization import IntxUnpackedToInt8Tensor

    codes, scale, zero = own(made).values()
    found = IntxUnpackedToInt8Tensor(
        codes, scale, zero, torch.int8, (1, by_hand.GROUP), torch.float32, None
    )
    return found.dequantize()


def of_bitsandbytes(made):
    from bitsandbytes.functional import int8_vectorwise_dequant

    state = own(made)
    return int8_vectorwise_dequant(state["weight"], state["SCB"])


def of_autoawq(made):
    found = importlib.util.find_spec("awq")  # importing it takes more than its unpacking
    path = Path(found.submodule_search_locations[0], "utils", "packing_utils.py")
    spec = importlib.util.spec_from_file_location("packing_utils", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    state = own(made)
    words = state["qweight"], state["qzeros"], state["scales"]
    return module.dequantize_gemm(*words, 4, by_hand.GROUP).T


def of_deepseek(made):
    from transformers.integrations.finegrained_fp8 import _dequantize_fp8_weight

    state = own(made)
    scale = state["weight_scale_inv"]
    return _dequantize_fp8_weight(state["weight"], scale, [128, 128], torch.float32)


def of_gpt_oss(made):
    from transformers.integrations.mxfp4 import _convert_moe_packed_tensors

    blocks, scale = map(tensor, made.tensors.values())
    return _convert_moe_packed_tensors(blocks, scale, dtype=torch.float32).transpose(1, 2)


def compare(name, read, rng):
    made = getattr(by_hand, name)(rng)
    found, expected = read(made).double().numpy(), made.weights(made.tensors)
    worst = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"{name}: {worst:.1e}")
    assert found.shape == expected.shape
    assert worst < 1e-2  # they round to bfloat16, at most


def main():
    rng = np.random.default_rng(0)
    for name, known, scheme in of_compressed_tensors(rng):
        compare(name, lambda made, f=known, s=scheme: compressed(f, made, **s), rng)
    compare("torchao", of_torchao, rng)
    compare("llm_int8", of_bitsandbytes, rng)
    compare("awq", of_autoawq, rng)
    compare("fp8_block", of_deepseek, rng)
    compare("mxfp4", of_gpt_oss, rng)


if __name__ == "__main__":
    main()
