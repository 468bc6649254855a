"""A parameter gets a mask, in its module and with whatever else that takes."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize

from masksolve.torch.masked import Estimator, Masked
from masksolve.torch.persistence import make_portable
from masksolve.torch.selection import Choice

__all__ = ["give_mask"]


def give_mask(
    choice: Choice,
    order: tuple[str, ...],
    estimator: Estimator,
    decay: float,
    absorb_mean: bool = False,
) -> Masked:
    """Parametrize a parameter, which stays the same in every respect; its mask keeps all.

    Parameters
    ----------
    choice : Choice
    order : tuple of str
        The names of the module's parameters before any of them had a mask.
    estimator, decay, absorb_mean
        As for `Masked`.

    Raises
    ------
    InvalidInput
        If there is no such estimator, or the decay is no number from 0 up.
    """
    original = choice.module._parameters[choice.tensor_name]
    masked = Masked(original, choice.pattern, choice.layout, estimator, decay, absorb_mean)
    masked.order = tuple(
        dict.fromkeys(order + tuple(n for twin in choice.twins for n in twin.module._parameters))
    )
    _parametrize(choice.module, choice.tensor_name, masked)
    for twin in choice.twins:  # one mask: what is zero for one of them is so for all
        _parametrize(twin.module, twin.tensor_name, masked)
    return masked


def _parametrize(module: nn.Module, name: str, masked: Masked) -> None:
    original = module._parameters[name]
    # Torch would point the parameter to its memory anew, and whoever waits for its gradient, as
    # DistributedDataParallel does, would wait in vain; so a stand-in goes through that.
    stand_in = nn.Parameter(original.detach(), original.requires_grad)
    try:
        module._parameters[name] = stand_in
        parametrize.register_parametrization(module, name, masked)
    except BaseException:
        module._parameters[name] = original
        raise
    module.parametrizations[name].original = original
    module.parametrizations.train(module.training)
    make_portable(module)
