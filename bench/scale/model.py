"""A checkpoint of any size, sharded as those of language models are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path

import ml_dtypes
import numpy as np

__all__ = ["make_checkpoint"]

SHARD_BYTES = 1_000_000_000
PIECE = 1 << 22
"""Weights that are drawn at once."""


def _shapes(nbytes: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the tensors of so many bytes of blocks like Llama's, after an embedding."""
    width = 4096 if nbytes >= 400_000_000 else 1024
    hidden, narrow = 7 * width // 2, width // 4
    block = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (narrow, width),
        "self_attn.v_proj": (narrow, width),
        "self_attn.o_proj": (width, width),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (hidden, width),
        "mlp.up_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
    }
    size = 2 * sum(prod(shape) for shape in block.values())
    for k in range(max(1, round(nbytes / size))):
        for name, shape in block.items():
            yield f"model.layers.{k}.{name}.weight", shape


def make_checkpoint(folder: Path, nbytes: int, seed: int = 0) -> int:
    """Write a checkpoint of standard normal bfloat16 weights; return its bytes of tensors.

    Parameters
    ----------
    folder : Path
        Created.
    nbytes : int
        About how large.
    seed : int
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    filled = total = 0
    for name, shape in _shapes(nbytes):
        if filled + 2 * prod(shape) > SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][name] = shape
        filled += 2 * prod(shape)
        total += 2 * prod(shape)
    names: dict[str, str] = {}
    for k, shapes in enumerate(shards, start=1):
        shard = f"model-{k:05}-of-{len(shards):05}.safetensors"
        names |= dict.fromkeys(shapes, shard)
        _write(folder / shard, shapes, rng)
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    (folder / "config.json").write_text('{"model_type": "synthetic"}\n')
    return total


def _write(path: Path, shapes: dict[str, tuple[int, ...]], rng: np.random.Generator) -> None:
    header, end = {}, 0
    for name, shape in shapes.items():
        stop = end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, stop]}
        end = stop
    content = json.dumps(header).encode()
    content = content.ljust(-(-len(content) // 8) * 8)
    with path.open("wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        for shape in shapes.values():
            for start in range(0, prod(shape), PIECE):
                count = min(PIECE, prod(shape) - start)
                weights = rng.standard_normal(count, dtype=np.float32)
                file.write(weights.astype(ml_dtypes.bfloat16).view(np.uint16).data)
