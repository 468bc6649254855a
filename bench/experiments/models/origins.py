"""Which tensor of a folder's files a weight in memory comes from: names may differ there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

__all__ = ["origins"]

ENOUGH = 4
"""Numbers, drawn at random, that no two tensors have in common."""


def origins(folder: Path, names: Collection[str], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Tell which of some tensors holds the first numbers of weights, by the weights' names.

    Loading may rename a tensor, transpose it, take it apart or join it to others: its numbers
    stay.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in sorted(set(names) & set(file.keys())):
                there = file.get_tensor(name).float().flatten()
                for wanted, values in weights.items():
                    if values.numel() and torch.isin(values.flatten()[:ENOUGH], there).all():
                        found.setdefault(wanted, name)
    return found
