"""Small models of transformers, made from their configurations."""

import pytest
import torch

transformers = pytest.importorskip("transformers", minversion="4.50")

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
}


def llama(seed=0, **sizes):
    torch.manual_seed(seed)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**(SIZES | sizes)))


def mixtral(seed=0):
    """Experts, which files hold one by one and the model in stacks."""
    torch.manual_seed(seed)
    config = transformers.MixtralConfig(**SIZES, num_local_experts=2, num_experts_per_tok=1)
    return transformers.MixtralForCausalLM(config)


def texts(count=16):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(64, (count, 8), generator=generator)
    return [{"input_ids": row, "labels": row} for row in tokens]
