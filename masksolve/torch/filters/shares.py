"""What each channel contributes to a layer's outputs: its shares, and errors without it.

With weights and inputs split into what is positive and what is negative, an output is

    z = (z++ + z--) - (z+- + z-+),    z++ = sum_j W+_j * A+_j,  and so on:

up to four sums of terms that are not negative. A channel's *share* of such a part is its
term over the sum; the error of a part is relative to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from masksolve.torch.filters.ties import FIXED
from masksolve.torch.filters.traced import Layer

__all__ = ["Errors", "Shares"]

Factors = NDArray[np.float64]


class Shares:
    """The largest shares of a layer's channels, over all inputs seen.

    Parameters
    ----------
    layer : Layer
    atoms : int
        How many there are in the network.

    Attributes
    ----------
    largest : array (atoms,)
        Over inputs, outputs, patches and parts; 0 for atoms that the layer does not read.
    parts_seen : int
        Sums of positive terms that were looked at: of each, a bound may fail.
    patches : int
        Outputs in one place, for one input.
    """

    def __init__(self, layer: Layer, atoms: int) -> None:
        self.layer = layer
        self.largest: Factors = np.zeros(atoms)
        self.parts_seen = 0
        self.patches = 0
        self._columns = {
            int(atom): torch.from_numpy(np.flatnonzero(layer.columns == atom))
            for atom in np.unique(layer.columns)
            if atom != FIXED
        }
        self._inputs = {
            atom: torch.from_numpy(np.flatnonzero(layer.inputs == atom)) for atom in self._columns
        }

    @property
    def kernel(self) -> int:
        """Weights that an output has for each channel."""
        weight = self.layer.module.weight
        return int(weight[0, 0].numel())

    def see(self, x: Tensor) -> None:
        """Look at a batch of the layer's inputs."""
        module, x = self.layer.module, parts_of_input(x)
        weight, axis = parts_of_weight(module), channel_axis(module, x)
        whole = products(module, weight, x)
        self.parts_seen += int((whole > 0).sum())
        outputs = whole.shape[axis]
        self.patches = whole[0].numel() // outputs
        whole = whole.clamp_min(torch.finfo(whole.dtype).tiny)  # 0 / 0 is 0
        for atom, columns in self._columns.items():
            columns, inputs = columns.to(x.device), self._inputs[atom].to(x.device)
            term = products(module, weight.index_select(1, columns), x.index_select(axis, inputs))
            share = float((term / whole).amax())
            self.largest[atom] = max(self.largest[atom], min(1.0, share))


@dataclass
class Errors:
    """The error that a layer's outputs have when channels are removed and others scaled.

    Its inputs are those of the whole network: every layer by itself.

    Parameters
    ----------
    layer : Layer
    factors : array (atoms,)
        By which each channel is multiplied: 0 for those that are removed.
    largest : float
        Of the relative errors of all parts.
    """

    layer: Layer
    factors: Factors
    largest: float = 0.0
    _difference: float = 0.0
    _whole: float = 0.0

    @property
    def norm(self) -> float:
        """The norm of the error of all outputs, bias aside, relative to theirs."""
        return (self._difference / self._whole) ** 0.5 if self._whole else 0.0

    def see(self, x: Tensor) -> None:
        """Look at a batch of the layer's inputs."""
        module = self.layer.module
        scale = torch.from_numpy(along(self.layer.columns, self.factors)).to(x.device)
        inputs, weight = parts_of_input(x), parts_of_weight(module)
        scale = scale.view(1, -1, *[1] * (weight.ndim - 2))
        whole = products(module, weight, inputs)
        left = products(module, weight * scale, inputs)
        error = ((left - whole).abs() / whole.clamp_min(torch.finfo(whole.dtype).tiny)).amax()
        self.largest = max(self.largest, float(error))
        signed, x = module.weight.detach().double(), x.double()
        dense = products(module, signed, x)
        self._difference += float((products(module, signed * scale, x) - dense).square().sum())
        self._whole += float(dense.square().sum())


def along(atoms: NDArray[np.int64], factors: Factors) -> Factors:
    """Lay factors along an axis whose atoms are given; what is fixed gets 1."""
    return np.where(atoms == FIXED, 1.0, factors[atoms])


def products(module: nn.Module, weight: Tensor, x: Tensor) -> Tensor:
    """Run a layer with another weight, and without its bias."""
    tensors: Mapping[str, Tensor] = {"weight": weight}
    if module.bias is not None:
        tensors = {**tensors, "bias": weight.new_zeros(len(weight))}
    found: Tensor = functional_call(module, tensors, (x,))
    return found


def parts_of_weight(module: nn.Module) -> Tensor:
    """Put the positive and the negative weights beside each other, as more outputs.

    In double precision: a small part must not drown in the rounding of a large one.
    """
    weight = module.weight.detach().double()
    groups = getattr(module, "groups", 1)
    by_group = weight.unflatten(0, (groups, -1))
    return torch.cat([by_group.clamp_min(0), (-by_group).clamp_min(0)], dim=1).flatten(0, 1)


def parts_of_input(x: Tensor) -> Tensor:
    """Put negative inputs behind the positive ones, as more of them, if there are any."""
    x = x.detach().double()
    if bool((x >= 0).all()):
        return x
    return torch.cat([x.clamp_min(0), (-x).clamp_min(0)])


def channel_axis(module: nn.Module, x: Tensor) -> int:
    """Return the axis of a layer's input that counts channels."""
    return x.ndim - 1 if isinstance(module, nn.Linear) else 1
