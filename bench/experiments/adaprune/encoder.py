"""The sentence encoder in torch, and what it makes of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from ...encoder import encoder_model, encoder_tokenizer

__all__ = ["Batch", "Which", "batches", "embed", "make"]

Batch: TypeAlias = dict[str, torch.Tensor]
Which: TypeAlias = Literal["all-MiniLM-L6-v2", "tiny"]

BATCH = 64
LONGEST = 128


def make(which: Which) -> nn.Module:
    """Make the encoder: with its real weights, or a tiny one that knows nothing."""
    if which == "tiny":
        torch.manual_seed(0)
        config = BertConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            initializer_range=0.4,
        )
        return BertModel(config, add_pooling_layer=False).eval()
    model: nn.Module = encoder_model()
    return model


def batches(sentences: Sequence[str]) -> list[Batch]:
    """Return sentences as batches, shortest first, so that there is little padding."""
    encoded = sorted(_tokenizer().encode_batch(list(sentences)), key=lambda e: len(e.ids))
    found = []
    for begin in range(0, len(encoded), BATCH):
        some = [torch.tensor(e.ids) for e in encoded[begin : begin + BATCH]]
        ids = nn.utils.rnn.pad_sequence(some, batch_first=True)
        lengths = torch.tensor([len(one) for one in some])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        found.append({"input_ids": ids, "attention_mask": mask.long()})
    return found


@torch.no_grad()
def embed(model: nn.Module, batched: Sequence[Batch]) -> torch.Tensor:
    """Return embeddings of length 1, a row a sentence: means over its tokens."""
    found = []
    for batch in batched:
        states = model(**batch).last_hidden_state
        weights = batch["attention_mask"][:, :, None].to(states.dtype)
        found.append((states * weights).sum(1) / weights.sum(1))
    return functional.normalize(torch.cat(found), dim=1)


@cache
def _tokenizer() -> Any:
    tokenizer = encoder_tokenizer()
    tokenizer.enable_truncation(LONGEST)
    return tokenizer
