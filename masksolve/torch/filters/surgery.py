"""Take filters out of a network: really, not by zeros."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch.filters.shares import along
from masksolve.torch.filters.traced import TracedModel

__all__ = ["check_sharing", "operate"]


@torch.no_grad()
def operate(traced: TracedModel, model: nn.Module, factors: NDArray[np.float64]) -> None:
    """Remove channels from a copy of the network's model, in place.

    Parameters
    ----------
    traced : TracedModel
    model : Module
        Has the modules of the network's model.
    factors : array (atoms,)
        By which the weights that read a channel are multiplied; 0: it is removed.
    """
    for name, tensor_name, tensor, axes in traced.tensors():
        device = tensor.device
        left = tensor.detach()
        for axis, atoms in axes.items():
            scale = along(atoms, factors)
            kept = np.flatnonzero(scale)
            left = left.index_select(axis, torch.from_numpy(kept).to(device))
            if traced.uses[name].mixes and axis == 1:
                shape = [1, -1, *[1] * (left.ndim - 2)]
                left = left * torch.from_numpy(scale[kept]).to(left).view(shape)
        module = model.get_submodule(name)
        if isinstance(tensor, nn.Parameter):
            left = nn.Parameter(left, requires_grad=tensor.requires_grad)
        setattr(module, tensor_name, left)
    for name, uses in traced.uses.items():
        module = model.get_submodule(name)
        for attribute, ids in uses.numbers.items():
            count = int(np.count_nonzero(along(traced.atoms.of(ids), factors)))
            setattr(module, attribute, count)


def check_sharing(traced: TracedModel) -> None:
    """Refuse parameters under two names: each would be cut on its own.

    Raises
    ------
    InvalidInput
        Naming the parameters.
    """
    names: dict[int, list[str]] = {}
    for name, module in traced.model.named_modules():
        for tensor_name, parameter in module.named_parameters(recurse=False):
            names.setdefault(id(parameter), []).append(f"{name}.{tensor_name}".lstrip("."))
    cut = Counter(id(tensor) for *_, tensor, _ in traced.tensors())
    for key, shared in names.items():
        if len(shared) > 1 and key in cut:
            raise InvalidInput(
                f"{' and '.join(shared)} are one parameter: its filters cannot be pruned "
                "for one layer alone; give each a copy, or leave such layers out of the model"
            )
