"""The networks that are trained: all have a dense stem and head, and a body to be masked.

Sides of the body's matrices are multiples of 16, so that every pattern up to 8:16 fits.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Cnn", "Mlp", "Transformer", "in_body"]

CLASSES = 10


def in_body(name: str, module: nn.Module) -> bool:
    """Tell whether a module is one that gets masks: a product in the body."""
    return name.startswith("body.") and isinstance(module, nn.Linear | nn.Conv2d)


class Mlp(nn.Module):
    """Two narrow hidden layers on 8 x 8 images.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        found: torch.Tensor = self.head(self.body(images))
        return found


class Cnn(nn.Module):
    """A dense first convolution, then two convolutions and a linear layer to be masked.

    Parameters
    ----------
    width : int
        Channels of the stem; the second convolution has twice as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, 2 * width),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take (batch, 1, 8, 8); return logits."""
        found: torch.Tensor = self.head(self.body(self.stem(images)))
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
        self.body = nn.Sequential(*(_Block(width) for _ in range(blocks)))
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


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // (64 if width >= 256 else 16)
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        seen = seen + self.mixed(self._attention(self.norm_attention(seen)))
        hidden = functional.gelu(self.up(self.norm_mlp(seen)))
        found: torch.Tensor = seen + self.down(hidden)
        return found

    def _attention(self, seen: torch.Tensor) -> torch.Tensor:
        batch, length, width = seen.shape
        parts = self.qkv(seen).view(batch, length, 3, self.heads, -1).transpose(1, 3)
        q, k, v = parts.unbind(dim=2)
        mixed: torch.Tensor = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, width)
