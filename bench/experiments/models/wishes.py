"""What a few architectures need besides, to be made small: data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WISHES"]

HEADS = {"head_dim": 16}
FORECAST = {"prediction_length": 8}
WISHES: Mapping[str, Mapping[str, Any]] = {
    "autoformer": FORECAST,
    "beit": {"out_indices": [1, 2, 3, 4]},
    "chameleon": {"vocabulary_map": {"<image>": 7}},
    "emu3": {"vocabulary_map": {"<image>": 7}},
    "esm": {"vocab_size": 488, "pad_token_id": 1},
    "falcon_h1": {"mamba_d_ssm": 128},
    "gemma4": {"vocab_size_per_layer_input": 488},
    "gemma4_text": {"vocab_size_per_layer_input": 488},
    "gemma4_unified": {"vocab_size_per_layer_input": 488},
    "gemma4_unified_text": {"vocab_size_per_layer_input": 488},
    "granite_speech5_ctc": {"max_position_embeddings": 256},
    "granite_speech5_encoder": {"max_position_embeddings": 256},
    "granitemoehybrid": {"layer_types": ["mamba", "attention", "mamba", "attention"]},
    "hunyuan_v1_dense": HEADS,
    "hunyuan_v1_moe": HEADS,
    "hunyuan_vl": HEADS,
    "hunyuan_vl_text": HEADS,
    "informer": FORECAST,
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "ministral": HEADS,
    "nemotron": {"num_key_value_heads": 2},
    "perceiver": {"num_latents": 16, "max_position_embeddings": 104, "image_size": 32},
    "time_series_transformer": FORECAST,
    "wav2vec2-bert": {"vocab_size": 488},
}
"""By type of model: keys of its configuration, wherever they stand."""
