"""The step that makes masks, and what stands for its derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["step", "surrogate"]


def step(distance: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return 1 where a weight is beyond its threshold, else 0, with a derivative.

    Parameters
    ----------
    distance : Tensor
        Of each weight to its threshold, abs(W) - t.
    mask : Tensor, optional
        What to return instead, as numbers: a mask that was made of the distances before,
        or in another way. The derivative is the same.

    Returns
    -------
    Tensor
        Of the distance's shape and dtype. Its gradient goes to the distance by
        `surrogate`.

    Examples
    --------
    >>> import torch
    >>> distance = torch.tensor([-0.5, -0.1, 0.0, 0.3], requires_grad=True)
    >>> step(distance)
    tensor([0., 0., 0., 1.], grad_fn=<_StepBackward>)
    >>> step(distance).sum().backward()
    >>> distance.grad
    tensor([0.4000, 1.6000, 2.0000, 0.8000])
    """
    stepped: Tensor = _Step.apply(distance, mask)
    return stepped


def surrogate(distance: Tensor) -> Tensor:
    """Return the long-tailed estimator of the step's derivative.

    With r = abs(x): 2 - 4 r up to r = 0.4, from there 0.4 up to r = 1, and 0 beyond (Xu and
    Cheung 2019, as Liu et al. 2020 use it).
    """
    size = distance.abs()
    # In numbers and in place: on the CPU, bool and fresh memory take most of the time.
    inside = (1 - size).sign_().add_(1).clamp_(max=1)  # 1 up to |x| = 1, then 0
    return size.mul_(-4).add_(2).clamp_(min=0.4).mul_(inside)


class _Step(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(distance: Tensor, mask: Tensor | None) -> Tensor:
        return distance.sign().clamp_(min=0) if mask is None else mask.to(distance.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (distance,) = ctx.saved_tensors
        return surrogate(distance) * gradient, None
