"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["FULL", "KINDS", "TINY", "Sizes", "make_weights"]


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    sides : tuple of int
        Of square matrices; the last is for the comparison of methods.
    patterns : tuple of str
        Of the exact solver,
    compared : tuple of str
        and of the comparison, warm starts and graphs.
    entropic_rounds : tuple of int
        The entropic method's curve of time and loss.
    changes : tuple of float
        Relative changes of the weights before warm starts.
    rounds : int
        Timings of each call.
    """

    sides: tuple[int, ...]
    patterns: tuple[str, ...]
    compared: tuple[str, ...]
    entropic_rounds: tuple[int, ...]
    changes: tuple[float, ...] = (1e-3, 1e-4)
    rounds: int = 20


FULL = Sizes(
    sides=(4096, 8192),
    patterns=("2:4", "4:8", "8:16", "16:32", "2:4,at-most", "8:16,at-most"),
    compared=("2:4", "4:8", "8:16", "16:32"),
    entropic_rounds=(25, 50, 100, 200, 400),
)
TINY = Sizes(
    sides=(16,),
    patterns=("2:4", "4:8,at-most"),
    compared=("2:4",),
    entropic_rounds=(20, 200),
    rounds=1,
)
"""For tests, and wherever there is no GPU: no figure of it says anything about one."""

KINDS = {
    "float32": "standard normal",
    "bf16 grid": "standard normal, rounded to bfloat16 and stored so",
    "int8 grid": "standard normal, scaled so that the largest is 127, and rounded; in float32",
}


def make_weights(kind: str, side: int, device: torch.device, seed: int = 0) -> Tensor:
    """Make weights of a kind in `KINDS`, (1, side, side)."""
    generator = torch.Generator(device).manual_seed(seed)
    weights = torch.randn((1, side, side), device=device, generator=generator)
    if kind == "bf16 grid":
        return weights.bfloat16()
    if kind == "int8 grid":
        return (weights * (127 / weights.abs().max())).round_()
    return weights
