"""Checkpoints, copies and pickles of sparsified models."""

from __future__ import annotations

from collections.abc import MutableMapping
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput, InvalidPattern, MaskViolation
from masksolve.pattern import Pattern
from masksolve.torch.distributed import whole
from masksolve.torch.layer import Layer, masked_layers
from masksolve.torch.masked import Masked, decode, decode_now
from masksolve.torch.plain_state import code_name, from_plain, mask_name, to_plain
from masksolve.torch.stacks import mask_once
from masksolve.torch.validity import breach, refuse_broken

__all__ = ["dense_state_dict", "keep_checkpoints_safe", "make_portable"]


def dense_state_dict(model: nn.Module) -> dict[str, Any]:
    """Return the state of a sparsified model as that of the plain one, pruned weights zero.

    Of a model that is spread over processes every process gets all of it: all must call.

    Parameters
    ----------
    model : Module

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    MaskViolation
        If a mask breaks its pattern, as averages of masks do.
    InvalidInput
        If another parametrization makes pruned weights anything but zero.

    Examples
    --------
    >>> import torch
    >>> from masksolve.torch import sparsify
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 8))
    >>> handle = sparsify(model, "2:4")
    >>> plain = torch.nn.Sequential(torch.nn.Linear(8, 8))
    >>> plain.load_state_dict(dense_state_dict(model))
    <All keys matched successfully>
    """
    state = {name: whole(value) for name, value in model.state_dict().items()}
    layers = masked_layers(model)
    to_plain(state, layers)
    for layer in layers:
        refuse_broken(layer, "Handle(model) solves it anew")
        used = layer.used()
        state.update((place.name, used) for place in layer.places)
    return state


def keep_checkpoints_safe(model: nn.Module) -> None:
    """Check what is loaded into a sparsified model, or a part of it, before any of it is."""
    for module in model.modules():
        if masked_layers(module):
            module.register_load_state_dict_pre_hook(_refuse_others)


def _refuse_others(
    model: nn.Module, state: MutableMapping[str, Tensor], prefix: str, *others: Any
) -> None:
    """Refuse a state that does not fit as a whole; pickles know this function by its name."""
    layers = masked_layers(model)
    places = [(layer, place) for layer in layers for place in layer.places]
    for layer, place in places:
        name = f"{prefix}{place.name}"
        code = state.get(code_name(place, prefix))
        if code is None and name in state and not layer.masked.takes_plain:
            raise InvalidInput(
                f"the checkpoint has a plain {name}, without a mask: load it before "
                "sparsify; nothing was loaded"
            )
        if code is layer.masked.code:  # a module around this one was here before
            continue
        mine, mask = layer.masked.pattern, state.get(mask_name(place, prefix))
        theirs, now = mine, mine.m
        if code is not None:
            theirs, now = _told(code, name)
            # An average of equals has fractions.
            state[code_name(place, prefix)] = code.round().long()
        if mask is not None:
            seen = _refuse_average(mask, layer, name, theirs, now)
            state[mask_name(place, prefix)] = seen
        if theirs != mine:
            raise InvalidInput(
                f"the checkpoint has {theirs} masks for {name}: the model was "
                f"sparsified with {mine}; nothing was loaded"
            )
    from_plain(state, layers, prefix)


def _told(code: Tensor, name: str) -> tuple[Pattern, int]:
    """Return what a checkpoint says of a mask: its pattern, and the n that it has as yet."""
    try:
        return decode(code), decode_now(code)
    except InvalidPattern as error:
        raise InvalidInput(
            f"the checkpoint's masks for {name} are of no pattern: {error}; nothing was loaded"
        ) from None


def _refuse_average(mask: Tensor, layer: Layer, name: str, pattern: Pattern, now: int) -> Tensor:
    """Refuse a mask that breaks its pattern; return it, marked as seen.

    Each module around a mask has this hook, the outermost comes first, and one look is enough.
    """
    if mask.shape != layer.mask.shape or hasattr(mask, "obeys"):  # torch says what is wrong
        return mask
    violation = breach(whole(mask), pattern, layer.layout, now)
    if violation is not None:
        raise MaskViolation(
            f"the checkpoint's mask for {name} breaks its pattern, as averages of masks do: "
            f"{violation}; nothing was loaded",
            **violation.details,
        )
    seen = mask.detach().bool()  # also where it is taken in place of the model's own
    seen.obeys = True
    return seen


def make_portable(module: nn.Module) -> None:
    """Let a parametrized module be pickled and copied, and mask stacks once a call.

    Parametrization makes a class on the fly for each module. Torch refuses to pickle these,
    and lets deep copies share one, so that a copy made plain would take the weight from
    the other; here every copy gets its own.
    """
    kind: Any = type(module)
    kind.__reduce_ex__, kind.__copy__, kind.__deepcopy__ = _reduce, _copy, _deepcopy
    kind.register_parameter = _register
    mask_once(module)


def _register(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
    """Register a parameter, as ``module.name = parameter`` does, unless there is a mask."""
    chains = module._modules.get("parametrizations")
    chain = chains[name] if isinstance(chains, nn.ModuleDict) and name in chains else ()
    masked = next((link for link in chain if isinstance(link, Masked)), None)
    if masked is not None:
        raise InvalidInput(
            f"the {name} of this {parametrize.type_before_parametrizations(module).__name__} has "
            f"{masked.pattern} masks, and stays the parameter that it is: assign a tensor to set "
            "its numbers, and finalize before it is tied, resized, fused or quantised"
        )
    nn.Module.register_parameter(module, name, parameter)


def _plain_state(module: nn.Module) -> tuple[type[nn.Module], dict[str, Any]]:
    """Return what class a module had before it was parametrized, and what it holds."""
    kind: Any = type(module).__bases__[0]
    return kind, dict(kind.__getstate__(module))


def _reduce(module: nn.Module, protocol: int) -> tuple[Any, ...]:
    kind, state = _plain_state(module)
    return _empty, (kind,), state, None, None, _restore


def _copy(module: nn.Module) -> nn.Module:
    kind, state = _plain_state(module)
    # Its own tables, so that what is registered or removed in one stays in the other.
    state |= {name: state[name].copy() for name in ("_parameters", "_modules")}
    chains = state["_modules"]["parametrizations"]
    state["_modules"]["parametrizations"] = nn.ModuleDict(chains.items())
    twin = _empty(kind)
    _restore(twin, state)
    return twin


def _deepcopy(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    kind, state = _plain_state(module)
    memo[id(module)] = twin = _empty(kind)
    _restore(twin, deepcopy(state, memo))
    return twin


def _empty(kind: type[nn.Module]) -> nn.Module:
    return object.__new__(kind)


def _restore(module: nn.Module, state: dict[str, Any]) -> None:
    """Fill a module, and make it a parametrized one again."""
    module.__setstate__(state)
    # Registering anew would build new chains, and run them backwards to fill these.
    parametrize._inject_new_class(module)
    for tensor_name in module.parametrizations:
        parametrize._inject_property(module, tensor_name)
    make_portable(module)
