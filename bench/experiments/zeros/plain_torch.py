"""What torch alone does to weights: casts, rounding, averages, training, folding."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_weights
from torch.optim.swa_utils import AveragedModel

import masksolve.torch as mst

from .pruned import PATTERN, Pruned

__all__ = [
    "adamw",
    "averaged",
    "batch_norm",
    "cast",
    "eight_bits",
    "gptq",
    "held",
    "real_zero_points",
    "rotated",
    "soup",
]

GROUP = 32
DAMPING = 0.01
STEPS = 3
DRIFT = 0.01
"""By which weights move between two averages."""


def cast(dtype: torch.dtype) -> Callable[[Pruned], Tensor]:
    """Cast with one scale for the tensor: the largest weight becomes the largest number."""

    def convert(pruned: Pruned) -> Tensor:
        weight = pruned.weight
        scale = weight.abs().max() / torch.finfo(dtype).max if dtype.itemsize == 1 else 1.0
        return (weight / scale).to(dtype).float() * scale

    return convert


def _bounds(weight: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return each row's least weight, and the step of so many levels up to its largest."""
    least, most = weight.aminmax(dim=1)
    return least, (most - least) / (levels - 1)


def eight_bits(pruned: Pruned) -> Tensor:
    """Round to 8 bits with torch's whole zero points."""
    least, step = _bounds(pruned.weight, 256)
    points = (-least / step).round().to(torch.int32)
    return torch.fake_quantize_per_channel_affine(pruned.weight, step, points, 0, 0, 255)


def real_zero_points(pruned: Pruned) -> Tensor:
    """Round to 4 bits with torch's real zero points."""
    least, step = _bounds(pruned.weight, 16)
    packed = torch.quantize_per_channel(pruned.weight, step, -least / step, 0, torch.quint4x2)
    return packed.dequantize()


def gptq(*, hold: bool) -> Callable[[Pruned], Tensor]:
    """Round to 4 bits column by column, each error passed on to the columns to come.

    As Frantar et al. 2022 (arXiv:2210.17323) do; `hold`: pruned weights take no part in it.
    """

    def convert(pruned: Pruned) -> Tensor:
        inputs, weight = pruned.inputs(2 * pruned.weight.shape[1]), pruned.weight.clone()
        second = inputs.T @ inputs
        second.diagonal().add_(DAMPING * second.diagonal().mean())
        inverse = torch.linalg.inv(second)
        factor = torch.linalg.cholesky(inverse, upper=True)
        step = weight.abs().amax(1) / 7
        for k in range(weight.shape[1]):
            rounded = (weight[:, k] / step).round().clamp(-8, 7) * step
            error = (weight[:, k] - rounded) / factor[k, k]
            passed_on = torch.outer(error, factor[k, k + 1 :])
            weight[:, k + 1 :] -= passed_on * pruned.mask[:, k + 1 :] if hold else passed_on
            weight[:, k] = rounded
        return weight

    return convert


def rotated(pruned: Pruned) -> Tensor:
    """Rotate and rotate back, as a method does that quantises between; here without."""
    columns = pruned.weight.shape[1]
    square = torch.randn(columns, columns, generator=pruned.random())
    rotation = torch.linalg.qr(square).Q
    return pruned.weight @ rotation @ rotation.T


def batch_norm(pruned: Pruned) -> Tensor:
    """Fold a batch norm into the layer before it."""
    random, rows = pruned.random(), len(pruned.weight)
    mean, scale, shift = torch.randn(3, rows, generator=random)
    folded, _ = fuse_linear_bn_weights(
        pruned.weight, torch.zeros(rows), mean, scale**2 + 0.1, 1e-5, scale, shift
    )
    return folded.detach()


def _moved(pruned: Pruned) -> Tensor:
    """Return dense weights that another part of a training has led to."""
    return pruned.dense + DRIFT * torch.randn(pruned.dense.shape, generator=pruned.random())


def averaged(*, renewed: bool) -> Callable[[Pruned], Tensor]:
    """Average two checkpoints of a training: under one mask, or under one that was renewed."""

    def convert(pruned: Pruned) -> Tensor:
        layer, dense = pruned.linear(), _moved(pruned)
        average = AveragedModel(layer)
        average.update_parameters(layer)
        mask = mst.solve_mask(dense, PATTERN) if renewed else pruned.mask
        layer.weight.data.copy_(dense * mask)
        average.update_parameters(layer)
        found: Tensor = average.module.weight.detach()
        return found

    return convert


def soup(pruned: Pruned) -> Tensor:
    """Average as before under a renewed mask, and solve the average anew."""
    mixed = averaged(renewed=True)(pruned)
    return mixed * mst.solve_mask(mixed, PATTERN)


def _train(layer: nn.Module, optimizer: torch.optim.Optimizer, pruned: Pruned) -> None:
    inputs = pruned.inputs(64)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (layer(inputs) - inputs[:, :1]).square().mean().backward()
        optimizer.step()


def adamw(pruned: Pruned) -> Tensor:
    """Train on without a mask."""
    layer = pruned.linear()
    _train(layer, torch.optim.AdamW(layer.parameters()), pruned)
    return layer.weight.detach()


def held(make: Callable[..., torch.optim.Optimizer]) -> Callable[[Pruned], Tensor]:
    """Train on under a static mask, with the optimizer attached."""

    def convert(pruned: Pruned) -> Tensor:
        model = nn.Sequential(copy.deepcopy(pruned.linear()))
        optimizer = make(model.parameters())
        handle = mst.sparsify(model, PATTERN, estimator="none", optimizer=optimizer, threads=1)
        _train(model, optimizer, pruned)
        handle.finalize()
        found: Tensor = model[0].weight.detach()
        return found

    return convert
