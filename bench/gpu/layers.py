"""What sparse products buy a layer, and what exact masks cost a block that is trained."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch

from .block import train_in_turns
from .products import compare

__all__ = ["FULL", "TINY", "Sizes", "measure"]


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    tokens : tuple of int
        Rows of a layer's input.
    layers : tuple of (int, int)
        Inputs and outputs.
    block : tuple of int
        Width, heads, batch and length of the block's training.
    rounds, steps : int
        Timings of each product; steps of each block.
    """

    tokens: tuple[int, ...]
    layers: tuple[tuple[int, int], ...]
    block: tuple[int, int, int, int]
    rounds: int
    steps: int


FULL = Sizes(
    tokens=(128, 1024, 4096, 16384),
    layers=((1024, 1024), (1024, 4096), (4096, 4096), (4096, 16384), (16384, 4096), (8192, 8192)),
    block=(4096, 32, 4, 2048),
    rounds=20,
    steps=20,
)
TINY = Sizes(tokens=(8, 32), layers=((64, 64), (64, 128)), block=(64, 2, 2, 8), rounds=2, steps=2)
"""For tests, and wherever there is no GPU: no figure of it says anything about one."""


def measure(device: torch.device, sizes: Sizes | None = None) -> dict[str, Any]:
    """Time linear layers with dense and sparse products, and a block's training.

    Parameters
    ----------
    device : torch.device
    sizes : Sizes, optional
        Default: `FULL` on a GPU, else `TINY`.

    Returns
    -------
    dict
        ``gpu``: whether these are a GPU's times; ``layers``: one record a size, with the
        seconds and speed-ups of its products; ``does_not_pay``: the sizes whose training
        step is no faster; ``block``: steps, overheads and the share of renewals. For JSON.
    """
    on_gpu = device.type == "cuda"
    if sizes is None:
        sizes = FULL if on_gpu else TINY
    with warnings.catch_warnings():
        # Records say so; and of torch's prototype everyone has heard by then.
        warnings.filterwarnings("ignore", "the products of a SparseLinear run dense")
        warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor")
        layers = [
            compare(tokens, *layer, device, sizes.rounds)
            for layer in sizes.layers
            for tokens in sizes.tokens
        ]
        block = train_in_turns(*sizes.block, device, sizes.steps)
    return {
        "gpu": on_gpu,
        "layers": layers,
        "does_not_pay": [
            {key: row[key] for key in ("tokens", "inputs", "outputs")}
            for row in layers
            if not row["pays"]
        ],
        "block": block,
    }
