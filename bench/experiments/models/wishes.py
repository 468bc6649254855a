"""What a few architectures need besides, to be made small: data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WISHES"]


def _rope(*sections: int) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e4, "mrope_section": list(sections)}


HEADS = {"head_dim": 16}
EVEN = {"num_key_value_heads": 4}
FORECAST = {"prediction_length": 8}
WISHES: Mapping[str, Mapping[str, Any]] = {
    "autoformer": FORECAST,
    "beit": {"out_indices": [1, 2, 3, 4]},
    "chameleon": {"vocabulary_map": {"<image>": 7}},
    "cosmos3_edge": {"rope_parameters": _rope(2, 3, 3)},
    "cosmos3_edge_text": {"rope_parameters": _rope(2, 3, 3)},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "emu3": {"vocabulary_map": {"<image>": 7}},
    "esm": {"vocab_size": 488, "pad_token_id": 1},
    "esmc": EVEN,
    "falcon_h1": {"mamba_d_ssm": 128, "mamba_n_heads": 8, "mamba_d_head": 16},
    "gemma4": {"vocab_size_per_layer_input": 488},
    "gemma4_text": {"vocab_size_per_layer_input": 488},
    "gemma4_unified": {"vocab_size_per_layer_input": 488},
    "gemma4_unified_text": {"vocab_size_per_layer_input": 488},
    "granite_speech5_ctc": {"max_position_embeddings": 256},
    "granite_speech5_encoder": {"max_position_embeddings": 256},
    "granitemoehybrid": {"layer_types": ["mamba", "attention", "mamba", "attention"]},
    "glm5_next": EVEN,
    "glm5_next_text": EVEN,
    "hunyuan_v1_dense": HEADS,
    "hunyuan_v1_moe": HEADS,
    "hunyuan_vl": HEADS,
    "hunyuan_vl_text": HEADS,
    "hy_v4_vl": {"rope_parameters": _rope(2, 1, 1)},
    "hy_v4_vl_text": {"rope_parameters": _rope(2, 1, 1)},
    "informer": FORECAST,
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "ministral": HEADS,
    "nemotron": {"num_key_value_heads": 2},
    "neomme": {"layer_types": ["full_attention"] * 4},
    "perceiver": {"num_latents": 16, "max_position_embeddings": 104, "image_size": 32},
    "qwen3_vl_moe": {"moe_intermediate_size": 48},  # else a matrix is square: which way is it?
    "qwen3_vl_moe_text": {"moe_intermediate_size": 48},
    "time_series_transformer": FORECAST,
    "wav2vec2-bert": {"vocab_size": 488},
}
"""By type of model: keys of its configuration, wherever they stand."""
