"""The statistics of batch norms, estimated anew after the weights before them changed."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from masksolve.errors import InvalidInput
from masksolve.torch._adaprune.calibration import Calibration, Forward

__all__ = ["reestimate", "reestimate_batch_norms"]


def reestimate_batch_norms(
    model: nn.Module, batches: Any, *, forward: Forward | None = None
) -> int:
    """Set every batch norm's running mean and variance to the average over batches.

    All batches count alike. Everything else stays in evaluation mode, dropout too.

    Parameters
    ----------
    model : Module
    batches, forward
        As for `adaprune`.

    Returns
    -------
    int
        How many batch norms there were.

    Raises
    ------
    InvalidInput
        If there are no batches, or the model does not take one.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.BatchNorm1d(2)
    >>> reestimate_batch_norms(model, [torch.tensor([[1.0, 0.0], [3.0, 8.0]])])
    1
    >>> model.running_mean
    tensor([2., 4.])
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
    return reestimate(Calibration(model, batches, forward))


def reestimate(calibration: Calibration) -> int:
    """Do it for a network that has its batches; after a failure all is as it was."""
    norms = [
        module
        for module in calibration.model.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return 0
    held = [(norm.momentum, {k: v.clone() for k, v in norm.named_buffers()}) for norm in norms]
    with calibration.evaluating():
        try:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the plain average
                norm.training = True
            for number in range(len(calibration.batches)):
                calibration.run(number, {})
        except BaseException:
            for norm, (_, buffers) in zip(norms, held, strict=True):
                for name, value in buffers.items():
                    getattr(norm, name).copy_(value)
            raise
        finally:
            for norm, (momentum, _) in zip(norms, held, strict=True):
                norm.momentum = momentum
                norm.training = False
    return len(norms)
