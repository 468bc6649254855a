"""Configurations made small: few layers, narrow, few experts, few words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["RUNGS", "shrunk"]

COUNTS = (
    (r"(num_)?(.*_)?(hidden_|encoder_|decoder_|num_)layers?|n_layers?|layers|.*_num_layers", 4),
    (r"(encoder_|decoder_)?layers|num_blocks|n_layer|depth|.*_depth|num_transformer_layers", 4),
    (r"vocab_size|.*_vocab_size|n_words", 488),
    (r"max_position_embeddings|n_positions|max_source_positions|max_target_positions", 104),
    (r"num_experts|num_local_experts|n_routed_experts|moe_num_experts|num_total_experts", 8),
    (r"num_experts_per_tok(en)?|moe_top_?k|top_k_experts|moe_k", 2),
    (r"n_group|topk_group|first_k_dense_replace|num_expert_group|moe_layer_start_index", 1),
    (r"n_shared_experts|num_shared_experts|moe_num_shared_experts", 1),
)
"""How many of something: what only repeats, is looked up or routed to.

No width is like the numbers of words and of positions: by these tables are known.
"""

WIDTHS = (
    (r"qk_rope_head_dim", 8),
    (r"qk_head_dim", 24),
    (r"kv_lora_rank|q_lora_rank", 32),
    (r"moe_intermediate_size|.*expert_intermediate_size|expert_ffn_hidden_size", 32),
    (r"mamba_n_heads|mamba_num_heads", 8),
    (r"state_size|ssm_state_size|mamba_d_state|mamba_d_head", 16),
    (r"hidden_size|d_model|n_embd|embed_dim|out_hidden_size|.*hidden_dim|dim|embedding_size", 64),
    (r"emb_dim|.*_hidden_size|projection_dim|codebook_dim|hidden_size_global", 64),
    (r"num_key_value_heads|.*_num_key_value_heads|num_kv_heads", 2),
    (r"(num_|n_)?(.*_)?(attention_)?heads?|.*num_attention_heads", 4),
    (r"head_dim|.*_head_dim|d_kv|dim_head|head_size|attention_head_size", 16),
    (r".*intermediate_size|.*ffn_dim|d_ff|mlp_dim|n_inner|ffn_hidden_size|d_inner", 128),
)
"""How wide it is."""

RUNGS = {"narrow": (*WIDTHS, *COUNTS), "short": COUNTS, "as it is": ()}
"""Ways to make it small, the smallest first: the first that gives a model is taken."""

KEPT = re.compile(r".*(num_hidden_groups|_id|_token|_index|_per_layer|kernel|stride)s?")
BACKBONE = {"out_indices", "out_features", "stage_names"}
"""What a backbone gives: by stages that may not be there any longer."""
LAYERED = {"num_hidden_layers"}
LAYERS = re.compile(r"num_hidden_layers|n_layers?|num_layers|encoder_layers|decoder_layers|depth")


def shrunk(config: Mapping[str, Any], rung: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with smaller sizes, and so are those within it.

    Parameters
    ----------
    config : mapping
        As `to_dict` gives it.
    rung : str
        Of `RUNGS`.
    wishes : mapping
        What is set besides, last, wherever it stands.
    """
    if not all(isinstance(key, str) for key in config):
        return dict(config)  # names of classes
    small = {key: _smaller(key, value, rung, wishes) for key, value in config.items()}
    words = small.get("vocab_size")
    for key in small.keys() & BACKBONE:
        ends = small.pop(key)
        if (
            key == "out_indices"
            and isinstance(ends, list)
            and len(ends) <= 4
            and LAYERED & {*small}
        ):
            small[key] = [1, 2, 3, 4][-len(ends) :]
    before = {v for k, v in config.items() if LAYERS.fullmatch(k) and isinstance(v, int)}
    for key, value in small.items():
        if isinstance(value, list) and len(value) in before and len(value) > 4:
            small[key] = value[:4]  # one entry for each layer
        if key.endswith(("token_id", "token_index")) and isinstance(words, int):
            small[key] = _within(value, words)
    return small


def _smaller(key: str, value: Any, rung: str, wishes: Mapping[str, Any]) -> Any:
    if key in wishes:
        return wishes[key]
    if key == "per_layer_config" and isinstance(value, Mapping):
        return {layer: value[layer] for layer in value if int(layer) < 4}
    if isinstance(value, Mapping):
        return shrunk(value, rung, wishes)
    if key == "depths" and isinstance(value, list):
        return [1] * len(value)
    if type(value) is int and not KEPT.fullmatch(key):
        for name, size in RUNGS[rung]:
            if re.fullmatch(name, key):
                return min(size, value)
    return value


def _within(token: Any, words: int) -> Any:
    if isinstance(token, list):
        return [_within(one, words) for one in token]
    return token % words if isinstance(token, int) else token
