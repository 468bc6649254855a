"""A small transformer over characters, of blocks whose linear layers get masks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Block", "Transformer", "in_body"]


def in_body(name: str, module: nn.Module) -> bool:
    """Tell whether a module is one that gets masks: a product in the body."""
    return name.startswith("body.") and isinstance(module, nn.Linear | nn.Conv2d)


class Block(nn.Module):
    """A pre-norm decoder block: causal attention, then an MLP four times as wide.

    Parameters
    ----------
    width : int
    heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take and return (batch, length, width)."""
        q, k, v = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        mixed = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        x = x + self.mixed(mixed.transpose(1, 2).flatten(2))
        found: torch.Tensor = x + self.down(functional.gelu(self.up(self.norm_mlp(x))))
        return found


class Transformer(nn.Module):
    """A decoder over characters: pre-norm blocks, learned positions, GELU.

    Parameters
    ----------
    characters : int
        Size of the alphabet.
    width : int
        A multiple of the heads' width, 16 in narrow models and 64 in others.
    blocks : int
    context : int
        Longest text.
    """

    def __init__(self, characters: int, width: int, blocks: int, context: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.positions = nn.Embedding(context, width)
        heads = width // (64 if width >= 256 else 16)
        self.body = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, characters)
        for table in (self.characters, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """Take (batch, length) of characters; return logits of each one's successor."""
        places = torch.arange(text.shape[1], device=text.device)
        seen = self.body(self.characters(text) + self.positions(places))
        found: torch.Tensor = self.head(self.norm(seen))
        return found
