"""Tiny random models of many families, made from their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

VOCABULARY = 64

_SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_GROUPED = _SMALL | {"num_key_value_heads": 2, "head_dim": 8}
_EXPERTS = _GROUPED | {
    "num_local_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
}
_IMAGES = _SMALL | {"image_size": 32, "patch_size": 8, "num_labels": 4}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", _GROUPED),
    "mistral": ("MistralForCausalLM", _GROUPED | {"sliding_window": 8}),
    "qwen2": ("Qwen2ForCausalLM", _GROUPED),
    "qwen3": ("Qwen3ForCausalLM", _GROUPED),
    "gemma": ("GemmaForCausalLM", _GROUPED),
    "gemma2": ("Gemma2ForCausalLM", _GROUPED | {"sliding_window": 8}),
    "gemma3": ("Gemma3ForCausalLM", _GROUPED | {"sliding_window": 8}),
    "phi": ("PhiForCausalLM", _SMALL),
    "phi3": ("Phi3ForCausalLM", _GROUPED),
    "gpt2": (
        "GPT2LMHeadModel",
        {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
        | {"bos_token_id": 1, "eos_token_id": 2},
    ),
    "gpt_neox": ("GPTNeoXForCausalLM", _SMALL),
    "opt": ("OPTForCausalLM", _SMALL | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    "falcon": ("FalconForCausalLM", _SMALL),  # its blocks give tuples
    "mixtral": ("MixtralForCausalLM", _EXPERTS),
    "qwen3_moe": ("Qwen3MoeForCausalLM", _EXPERTS),
    "gpt_oss": ("GptOssForCausalLM", _EXPERTS),
    "deepseek": (
        "DeepseekV3ForCausalLM",
        _EXPERTS
        | {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1}
        | {"kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8}
        | {"v_head_dim": 8, "num_key_value_heads": 4},
    ),
    "bert": ("BertForMaskedLM", _SMALL),
    "roberta": ("RobertaForMaskedLM", _SMALL | {"max_position_embeddings": 80}),
    "vit": ("ViTForImageClassification", _IMAGES),
    "dinov2": ("Dinov2ForImageClassification", _IMAGES),
}
IMAGES = ("vit", "dinov2")
EXPERTS = ("mixtral", "qwen3_moe", "gpt_oss", "deepseek")


def make(family: str, folder: Path, *, shards: str = "1GB", dtype: Any = None) -> Path:
    """Save a model of a family; return its folder."""
    name, settings = FAMILIES[family]
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    model = kind(kind.config_class(**settings))
    for parameter in model.parameters():  # some are zero, or tiny, where training begins
        torch.nn.init.normal_(parameter, std=0.2 if parameter.ndim > 1 else 0.5)
    if dtype is not None:
        model = model.to(dtype)
    model.save_pretrained(folder, max_shard_size=shards)
    return folder


def inputs(family: str, samples: int = 12) -> dict[str, Tensor]:
    """Make inputs for a model of a family."""
    generator = torch.Generator().manual_seed(1)
    if family in IMAGES:
        return {"pixel_values": torch.randn(samples, 3, 32, 32, generator=generator)}
    return {"input_ids": torch.randint(3, VOCABULARY, (samples, 24), generator=generator)}


def load(folder: Path, family: str) -> Any:
    """Load a whole model into memory."""
    kind = getattr(transformers, FAMILIES[family][0])
    how = {"experts_implementation": "eager"} if family in EXPERTS else {}
    return kind.from_pretrained(folder, dtype=torch.float32, **how).eval()
