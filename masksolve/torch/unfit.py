"""Why a parameter gets no mask: what it is for, or what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from masksolve.roles import Facts, judge
from masksolve.roles.judging import BARE
from masksolve.roles.names import EMBEDDING, HEAD
from masksolve.torch.masked import Masked
from masksolve.torch.names import Memory, Place

__all__ = ["Purposes", "obstacle", "offloaded", "out_of_reach", "sharing"]

LOOKUPS = (nn.Embedding, nn.EmbeddingBag)
QUANTISERS = frozenset({"torchao", "bitsandbytes"})
"""Packages whose tensors say that they are floats, and are codes or will be."""


class Purposes:
    """What the parameters of a model are for, as far as that speaks against masks.

    By what the model says of itself, and else by names, shapes and its configuration, as in
    files.
    """

    def __init__(self, model: nn.Module) -> None:
        self._facts = Facts.of(_config(model))
        self._names = frozenset(
            name
            for tensors in (model.named_parameters, model.named_buffers)
            for name, _ in tensors(remove_duplicate=False)
        )
        self._heads = frozenset(_told(model, "get_output_embeddings"))
        self._inputs = frozenset(_told(model, "get_input_embeddings"))

    def against(self, name: str, module: nn.Module, tensor: Tensor, *, known: bool) -> str | None:
        """Say why a parameter is no matrix of a product to be pruned.

        Parameters
        ----------
        name : str
            Its full name.
        module : Module
            That holds it.
        tensor : Tensor
        known : bool
            Whether a layout is known for it. What a model takes for its input embedding may
            be a product all the same: a convolution of patches.
        """
        if isinstance(module, LOOKUPS) or (module in self._inputs and not known):
            return EMBEDDING
        if module in self._heads:
            return HEAD
        why = judge(name, tuple(tensor.shape), self._facts, self._names).why
        return None if why == BARE else why  # of layouts the module knows more than the name


def _config(model: nn.Module) -> Mapping[str, Any] | None:
    """Return the configuration of a model, or of the outermost module that has one."""
    for module in model.modules():
        config: Any = getattr(module, "config", None)
        if callable(getattr(config, "to_dict", None)):
            config = config.to_dict()
        if isinstance(config, Mapping):
            return config
    return None


def _told(model: nn.Module, method: str) -> Iterator[nn.Module]:
    """Go through the modules that a model, or one within it, calls its embeddings."""
    for module in model.modules():
        tell = getattr(module, method, None)
        try:
            told = tell() if callable(tell) else None
        except (AttributeError, NotImplementedError, TypeError):  # this one has none
            continue
        for each in told if isinstance(told, list | tuple) else (told,):
            if isinstance(each, nn.Module):
                yield from each.modules()


def out_of_reach(module: nn.Module) -> str | None:
    """Say why a kind of module never has masks, although it holds matrices."""
    kind = type(module)
    if ".quantized." in kind.__module__ and callable(getattr(module, "weight", None)):
        return "it is quantised; sparsify before quantisation"
    if isinstance(module, nn.RNNBase):
        return (
            "it keeps its weights in a list that a parametrization does not reach; "
            f"use {kind.__name__}Cell"
        )
    return None


def obstacle(module: nn.Module, name: str) -> str | None:
    """Say why a module's parameter can have no mask, as it is."""
    if parametrize.is_parametrized(module, name):
        other = module.parametrizations[name][-1]
        if isinstance(other, Masked):
            return f"it has {other.pattern} masks already"
        return f"it has a parametrization already, {type(other).__name__}"
    parameter = module._parameters.get(name)
    if parameter is None:
        return "it is no parameter (torch.nn.utils.prune leaves it so, for one)"
    if isinstance(parameter, UninitializedParameter):
        return "it has no shape yet: run the model once first"
    if parameter.device.type == "meta":
        return offloaded(module) or "it is on the meta device, without data: load weights first"
    for kind in type(parameter).__mro__:
        if (package := kind.__module__.partition(".")[0]) in QUANTISERS:
            return f"it is quantised ({kind.__name__} of {package})"
    dtype = parameter.dtype
    if dtype.is_complex:
        return "it is complex"
    if parameter.is_quantized or not dtype.is_floating_point or dtype.itemsize == 1:
        return f"it is quantised ({dtype})"
    return None


def offloaded(module: nn.Module) -> str | None:
    """Say that accelerate keeps a module's parameters elsewhere, if it does."""
    # Such a hook brings them for each call, and is known by what it has; the base class has none.
    hook = getattr(module, "_hf_hook", None)
    hooks = [hook, *getattr(hook, "hooks", ())]  # one may be several in turn
    if not any(getattr(each, "offload", False) for each in hooks):
        return None
    return (
        "it is offloaded by accelerate: call accelerate.hooks.remove_hook_from_module(model, "
        "recurse=True) first, or load the model without offloading, and offload it afterwards"
    )


def sharing(place: Place, parameter: nn.Parameter, memory: Memory, *, whole: bool) -> str | None:
    """Say why a parameter is better left alone for what has the same memory.

    Parameters
    ----------
    place : Place
        Where it is looked at.
    parameter : Parameter
    memory : Memory
        Of its model.
    whole : bool
        Whether it is fine for others to have all of its numbers, and so its mask.
    """
    near = memory.sharing(parameter)
    if len(near) == 1 or (whole and len(near) == len(memory.twins(parameter))):
        return None
    if all(each.module._parameters[each.tensor_name] is parameter for each in near):
        names = ", ".join(each.name for each in near)
        return f"it is one parameter under several names: {names}"
    names = ", ".join(each.name for each in near if each != place)
    return f"it shares memory with {names}"
