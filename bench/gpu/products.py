"""A linear layer's products: dense, and with a 2:4 mask on sparse tensor cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import masksolve.torch as mst
from masksolve.torch.sparse_products import Compressed

from .clock import medians

__all__ = ["PARTS", "compare"]

PARTS = ("forward", "input gradient", "step")
"""What is compared; a step is forward and all gradients, the weight compressed in it anew."""


def compare(
    tokens: int, inputs: int, outputs: int, device: torch.device, rounds: int
) -> dict[str, Any]:
    """Time a layer in bfloat16 with dense and with sparse products.

    Returns seconds by part, the speed-up of each, what compressing takes of a step, how
    far the sparse output is from the dense one, and why products ran dense, if they did.
    """
    torch.manual_seed(0)
    sparse = mst.SparseLinear(inputs, outputs, device=device, dtype=torch.bfloat16)
    masked = nn.Linear(inputs, outputs, device=device, dtype=torch.bfloat16)
    masked.weight.data, masked.bias.data = sparse.weight.detach(), sparse.bias.detach()
    x = torch.randn(tokens, inputs, device=device, dtype=torch.bfloat16, requires_grad=True)
    g = torch.randn(tokens, outputs, device=device, dtype=torch.bfloat16)
    calls: dict[str, Callable[[], object]] = {}
    layers = {"dense": masked, "sparse": sparse}
    for way, layer in layers.items():
        # A frozen layer's, so that nothing but the product is there.
        calls[f"{way} forward"] = _forward(layer, x)
        calls[f"{way} input gradient"] = _input_gradient(layer, x, g)
    weight = sparse.weight.detach()
    why = sparse.why_not()
    if why is None:
        calls["compress"] = lambda: Compressed(None).fill(weight, backward=True)
    found = medians(calls, device, rounds)
    for layer in layers.values():
        layer.requires_grad_(True)
    steps = {f"{way} step": _step(layer, x, g) for way, layer in layers.items()}
    found |= medians(steps, device, rounds)
    with torch.no_grad():
        expected = masked(x)
        error = (sparse(x) - expected).abs().max() / expected.abs().max()
    speed_up = {part: found[f"dense {part}"] / found[f"sparse {part}"] for part in PARTS}
    return {
        "tokens": tokens,
        "inputs": inputs,
        "outputs": outputs,
        "why_dense": why,
        "seconds": found,
        "speed_up": speed_up,
        "compress_share": found.get("compress", 0.0) / found["sparse step"],
        "error": error.item(),
        "pays": speed_up["step"] > 1,
    }


def _forward(layer: nn.Linear, x: Tensor) -> Callable[[], object]:
    def call() -> object:
        with torch.no_grad():
            return layer(x)

    return call


def _input_gradient(layer: nn.Linear, x: Tensor, g: Tensor) -> Callable[[], object]:
    layer.requires_grad_(False)
    y = layer(x)
    return lambda: torch.autograd.grad(y, x, g, retain_graph=True)


def _step(layer: nn.Linear, x: Tensor, g: Tensor) -> Callable[[], object]:
    def call() -> object:
        return torch.autograd.grad(layer(x), [x, *layer.parameters()], g)

    return call
