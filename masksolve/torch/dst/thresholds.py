"""Weights with thresholds: what every layer of this package has in common.

With W a weight and t its threshold, the layer uses W . M where M = step(|W| - t). One
threshold serves a row of W (an output, or a filter), the whole matrix, or a single entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.inputs import as_number, as_share
from masksolve.pattern import Pattern
from masksolve.torch.dst.heaviside import step
from masksolve.torch.dst.options import Kind, as_kind
from masksolve.torch.layouts import Layout
from masksolve.torch.masked import decode, encode

__all__ = ["Projected", "SparseWeight", "Thresholded", "by_matrix", "sparse_weights"]


class Projected(nn.Module):
    """A mask that was made of a weight's distances by a pattern.

    Attributes
    ----------
    mask : Tensor of bool
    code : Tensor of int
        The pattern, as `masksolve.torch.masked.encode` writes it.
    """

    mask: Tensor
    code: Tensor

    def __init__(self, mask: Tensor, pattern: Pattern) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.register_buffer("code", encode(pattern).to(mask.device))

    @property
    def pattern(self) -> Pattern:
        """The pattern that the mask obeys."""
        return decode(self.code)

    def write(self, mask: Tensor, pattern: Pattern) -> None:
        """Put a new mask in the old one's place."""
        self.mask.copy_(mask)
        if pattern != self.pattern:
            self.code.copy_(encode(pattern))

    def extra_repr(self) -> str:
        """Say which pattern, for ``print(model)``."""
        return str(self.pattern)


class Thresholded(nn.Module):
    """Gives a module's weights thresholds; mixed into the layers.

    Parameters
    ----------
    *arguments, **others
        The dense layer's.
    thresholds, initial, reset_below
        `kind` and the two that follow.

    Attributes
    ----------
    kind : {"vector", "scalar", "matrix"}
    initial : float
    reset_below : float or None
        In training mode the thresholds of a matrix whose mask keeps no more than this share
        go back to 0; None: they never do.
    resets : Tensor of int
        How often that has happened, to all matrices together; not saved.
    """

    kind: Kind
    initial: float
    reset_below: float | None
    resets: Tensor
    made_plain_by = "masksolve.torch.dst.finalize"
    """Whom to call before anything that wants plain weights."""

    def __init__(
        self,
        *arguments: Any,
        thresholds: Kind = "vector",
        initial: float = 0.0,
        reset_below: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(*arguments, **others)
        self.add_thresholds(thresholds, initial, reset_below)

    def matrices(self) -> Mapping[str, tuple[str, ...]]:
        """Return the weights that get thresholds, and how their matrices are called."""
        raise NotImplementedError

    def layout(self, name: str) -> Layout:
        """Return how a weight holds its matrices, as for N:M masks."""
        raise NotImplementedError

    def add_thresholds(self, kind: Kind, initial: float, reset_below: float | None) -> None:
        """Register a threshold for every weight."""
        self.kind, self.initial = as_kind(kind), as_number(initial, "initial")
        self.reset_below = as_share(reset_below, "reset_below")
        for name, parts in self.matrices().items():
            weight = getattr(self, name)
            shape = {"vector": weight.shape[:1], "scalar": (len(parts),)}.get(kind, weight.shape)
            threshold = nn.Parameter(weight.new_full(shape, self.initial))
            self.register_parameter(threshold_name(name), threshold)
        counted = next(iter(self.matrices()))
        resets = torch.zeros((), dtype=torch.int64, device=getattr(self, counted).device)
        self.register_buffer("resets", resets, persistent=False)

    def drop_thresholds(self) -> None:
        """Take the thresholds away."""
        for name in self.matrices():
            delattr(self, threshold_name(name))
            self._modules.pop(projected_name(name), None)
        for name in ("resets", "kind", "initial", "reset_below"):
            delattr(self, name)

    def reset_parameters(self) -> None:
        """Draw first weights, as in the dense layer; thresholds go to `initial`."""
        super().reset_parameters()
        for name in self.matrices():
            threshold = self._parameters.get(threshold_name(name))
            if threshold is not None:  # not yet, while the dense layer is being made
                nn.init.constant_(threshold, self.initial)

    def masked(self, name: str) -> Tensor:
        """Return a weight times its mask, as the layer uses it."""
        weight: Tensor = getattr(self, name)
        threshold: Tensor = getattr(self, threshold_name(name))
        if not torch.compiler.is_compiling() and threshold.device.type == "cpu":
            # Elsewhere it would wait for the device, at every layer.
            SparseWeight(f"a {type(self).__name__}'s {name}", self, name).refuse_spoilt()
        beyond = distance(weight, threshold)
        projected = self._modules.get(projected_name(name))
        if projected is not None:
            return weight * step(beyond, projected.mask)
        with torch.no_grad():
            kept = step(beyond)
            if self.training and self.reset_below is not None:
                parts = len(self.matrices()[name])
                starved = take_back(kept, threshold, parts, self.reset_below)
                self.resets += starved.sum()
                # Asking would break a compiled graph, or wait for the device.
                blind = torch.compiler.is_compiling() or starved.device.type != "cpu"
                if blind or bool(starved.any()):
                    # In place: its derivatives are the same, and checkpoints of activations
                    # must meet as many operations when they compute it again.
                    kept = step(beyond.copy_(distance(weight, threshold)))
        return weight * step(beyond, kept)

    def extra_repr(self) -> str:
        """Add the kind of thresholds to what the dense layer says."""
        return f"{super().extra_repr()}, thresholds={self.kind}"


@dataclass(slots=True, eq=False)
class SparseWeight:
    """A weight with a threshold.

    Attributes
    ----------
    name : str
        Its full name, ``"encoder.fc1.weight"``.
    module : Module
    tensor_name : str
        Its name in the module.
    """

    name: str
    module: Any
    tensor_name: str

    @property
    def dense(self) -> Tensor:
        """The weight as the optimizer sees it."""
        dense: Tensor = getattr(self.module, self.tensor_name)
        return dense

    @property
    def threshold(self) -> Tensor:
        """Its threshold."""
        threshold: Tensor = getattr(self.module, threshold_name(self.tensor_name))
        return threshold

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the matrices that it holds one after the other; one: no name."""
        parts: tuple[str, ...] = self.module.matrices()[self.tensor_name]
        return parts

    @property
    def names(self) -> list[str]:
        """The full names of its matrices."""
        return [f"{self.name}.{part}".rstrip(".") for part in self.parts]

    @property
    def layout(self) -> Layout:
        """How it holds the matrices that N:M masks are made for."""
        layout: Layout = self.module.layout(self.tensor_name)
        return layout

    @property
    def projected(self) -> Projected | None:
        """The mask that was made of its distances by a pattern, if one was."""
        projected: Projected | None = self.module._modules.get(projected_name(self.tensor_name))
        return projected

    @projected.setter
    def projected(self, projected: Projected | None) -> None:
        if projected is None:
            self.module._modules.pop(projected_name(self.tensor_name), None)
        else:
            self.module.add_module(projected_name(self.tensor_name), projected)

    def distance(self) -> Tensor:
        """Return |W| - t."""
        return distance(self.dense, self.threshold)

    @torch.no_grad()
    def learned(self) -> Tensor:
        """Return what the thresholds keep, of bool."""
        self.refuse_spoilt()
        return self.distance() > 0

    @torch.no_grad()
    def mask(self) -> Tensor:
        """Return what the layer keeps, of bool: by thresholds, or by a pattern."""
        projected = self.projected
        return self.learned() if projected is None else projected.mask.clone()

    def refuse_spoilt(self) -> None:
        """Raise if a threshold is not finite: its mask would keep nothing, and say nothing."""
        good = torch.isfinite(self.threshold)
        if bool(good.all()):
            return
        bad = self.threshold.detach()[~good]
        raise InvalidInput(
            f"{len(bad)} of the {good.numel()} thresholds of {self.name} are not finite (the "
            f"first is {float(bad[0])}): training has diverged; go back to an earlier "
            "checkpoint and lower the rate of learning or alpha"
        )

    def reset(self, below: float | None = None) -> list[str]:
        """Apply the reset rule, the module's own or another, by what thresholds keep.

        Returns
        -------
        list of str
            The full names of the matrices that it took.
        """
        below = self.module.reset_below if below is None else below
        if below is None:
            return []
        kept = step(self.distance())
        starved = take_back(kept, self.threshold, len(self.parts), below)
        self.module.resets += starved.sum()
        return [n for n, is_so in zip(self.names, starved.tolist(), strict=True) if is_so]


def distance(weight: Tensor, threshold: Tensor) -> Tensor:
    """Return |W| - t, for one threshold a row, a matrix or an entry."""
    if threshold.ndim == 1:
        if 1 < len(threshold) < len(weight):  # one for each of several matrices
            threshold = threshold.repeat_interleave(len(weight) // len(threshold))
        threshold = threshold.view(-1, *[1] * (weight.ndim - 1))
    return weight.abs() - threshold


def take_back(kept: Tensor, threshold: Tensor, parts: int, below: float) -> Tensor:
    """Set the thresholds of matrices to 0 whose mask keeps no more than a share: the rule.

    Parameters
    ----------
    kept : Tensor of 0 and 1
        The mask of a weight that holds so many matrices one after the other.
    threshold : Tensor
    parts : int
    below : float

    Returns
    -------
    Tensor of bool
        Which of the matrices.
    """
    with torch.no_grad():
        split = by_matrix(kept, parts)
        left = split.sum(dim=tuple(range(1, split.ndim)), dtype=torch.float32)
        starved = left <= below * (kept.numel() // parts)
        # A product, not a fill: it takes no branch, and NaN stays NaN. By data: a penalty on
        # thresholds, or another call of the layer, may wait for its backward pass.
        levels = by_matrix(threshold.data, parts)
        levels *= starved.logical_not().view(-1, *[1] * (levels.ndim - 1))
    return starved


def by_matrix(tensor: Tensor, parts: int) -> Tensor:
    """Let a first axis count the matrices that a weight or threshold holds; no copy.

    A kernel may lie in memory with its channels last, and cannot be flattened.
    """
    return tensor.view(parts, len(tensor) // parts, *tensor.shape[1:])


def sparse_weights(model: nn.Module) -> Iterator[SparseWeight]:
    """Find the weights with thresholds of a model, in its order.

    Raises
    ------
    InvalidInput
        If it is no model, or there are none.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
    found = False
    for prefix, module in model.named_modules():
        if isinstance(module, Thresholded):
            for name in module.matrices():
                found = True
                yield SparseWeight(f"{prefix}.{name}".lstrip("."), module, name)
    if not found:
        raise InvalidInput(
            f"{type(model).__name__} has no thresholds: build it of masksolve.torch.dst's "
            "layers, or convert it first"
        )


def threshold_name(name: str) -> str:
    """Return the threshold's name for a weight's."""
    return name.replace("weight", "threshold", 1)


def projected_name(name: str) -> str:
    """Return under which name a weight's projected mask is kept."""
    return name.replace("weight", "projected", 1)
