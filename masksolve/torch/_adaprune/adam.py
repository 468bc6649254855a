"""A layer fitted to its dense outputs by Adam on mini-batches, as published."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from masksolve.torch._adaprune.groups import Weight
from masksolve.torch._adaprune.samples import Samples
from masksolve.torch._adaprune.settings import Settings

__all__ = ["fit_by_adam"]

BETAS, EPSILON = (0.9, 0.999), 1e-8


def fit_by_adam(
    weight: Weight,
    samples: Samples,
    start: Tensor,
    mask: Tensor,
    settings: Settings,
    tuned: bool,
    remask: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Lower the mean squared error of mini-batches.

    Where the mask is solved anew on the way, what comes back starts from zero.

    Parameters
    ----------
    weight : Weight
        Of which the samples have the outputs.
    samples : Samples
    start : Tensor, (parts, outputs, features)
        Weights to begin with.
    mask : Tensor of bool, of that shape
    settings : Settings
    tuned : bool
        Whether the biases are fitted, too.
    remask : callable
        Finds a better mask for weights.

    Returns
    -------
    new : Tensor, (parts, outputs, features)
        Masked.
    shift : Tensor, (parts, outputs)
        What is to be added to the biases.
    mask : Tensor of bool
    """
    random = torch.Generator().manual_seed(settings.seed)
    rate, bias_rate = settings.rates
    new = start * mask
    shift = new.new_zeros(new.shape[:2])
    optimizer = torch.optim.Adam(
        [{"params": [new], "lr": rate}, {"params": [shift], "lr": bias_rate}],
        betas=BETAS,
        eps=EPSILON,
    )
    every = settings.iterations // (settings.remask + 1)
    for iteration in range(settings.iterations):
        if settings.remask and iteration and iteration % every == 0:
            mask = remask(new)
        order = torch.randperm(len(samples), generator=random)[: settings.batch_size]
        rows, outputs = samples.draw(weight, order.tolist())
        excess = rows @ new.mT + shift.unsqueeze(1) - outputs
        # By hand: autograd would keep more, and this is two products.
        scale = 2 / excess.numel()
        new.grad = (excess.mT @ rows) * mask * scale
        shift.grad = excess.sum(1) * scale if tuned else None
        optimizer.step()
        new *= mask  # what was dropped still has momentum
    return new, shift, mask
