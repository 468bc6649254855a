"""From plain models to models with thresholds, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from masksolve.errors import InvalidInput
from masksolve.inputs import as_number, as_share
from masksolve.torch.dst.layers import Conv1d, Conv2d, Linear
from masksolve.torch.dst.options import PUBLISHED_BELOW, Kind, as_kind
from masksolve.torch.dst.recurrent import LSTM, LSTMCell
from masksolve.torch.dst.thresholds import Thresholded, sparse_weights
from masksolve.torch.selectors import Select, as_predicate

__all__ = ["convert", "finalize"]

SPARSE: dict[type[nn.Module], type[Thresholded]] = {
    nn.Linear: Linear,
    nn.Conv1d: Conv1d,
    nn.Conv2d: Conv2d,
    nn.LSTM: LSTM,
    nn.LSTMCell: LSTMCell,
}
PLAIN: dict[type[nn.Module], type[nn.Module]] = {sparse: plain for plain, sparse in SPARSE.items()}


def convert(
    model: nn.Module,
    *,
    select: Select = None,
    thresholds: Kind = "vector",
    initial: float = 0.0,
    reset_below: float | Literal["published"] | None = "published",
) -> nn.Module:
    """Give the layers of a model thresholds, in place.

    Linear layers, one- and two-dimensional convolutions, LSTMs and their cells become those
    of this package; other modules, and subclasses, which may do anything with their
    weights, stay as they are. Modules and weights stay the same objects, with their values:
    a trained model starts from what it has learned, and with ``initial=0`` computes what
    it did. An optimizer made earlier does not know the thresholds: make it afterwards.

    Parameters
    ----------
    model : Module
    select : optional
        Which modules: a type or types, a name pattern or several (``"encoder.*"``), or a
        function of (name, module). Default: all. The paper leaves the output layer of
        LSTMs dense.
    thresholds : {"vector", "scalar", "matrix"}
        One for each output, matrix or weight.
    initial : float
        Their first value.
    reset_below : float, None or "published"
        In training mode the thresholds of a matrix go back to 0 once its mask keeps no more
        than this share. Published: 0.01, but never in LSTMs. None: never.

    Returns
    -------
    Module
        The model.

    Raises
    ------
    InvalidInput
        If there is nothing to convert, or an option is not what it should be; for weights
        that are no floating-point numbers, or computed from others.

    Examples
    --------
    >>> model = convert(nn.Sequential(nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 10)))
    >>> model[0]
    Linear(in_features=64, out_features=300, bias=True, thresholds=vector)
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
    as_kind(thresholds)
    as_number(initial, "initial")
    published = reset_below == "published"
    given = None if published else as_share(reset_below, "reset_below")
    selects = as_predicate(select, model)
    selected = {name: m for name, m in model.named_modules() if selects(name, m)}
    chosen = {name: module for name, module in selected.items() if type(module) in SPARSE}
    if not chosen:
        raise InvalidInput(_nothing(model, selected.values()))
    for name, module in chosen.items():
        _check_weights(name, module)
    for module in chosen.values():
        recurrent = isinstance(module, nn.LSTM | nn.LSTMCell)
        below = PUBLISHED_BELOW if published and not recurrent else given
        sparse = SPARSE[type(module)]
        module.__class__ = sparse
        sparse.add_thresholds(module, thresholds, initial, below)
    _keep_off_fast_paths(model)
    return model


def finalize(model: nn.Module) -> dict[str, Tensor]:
    """Leave plain layers with weights in which the pruned ones are zero.

    Returns
    -------
    dict of str to Tensor of bool
        The masks, by the names of the weights.

    Raises
    ------
    InvalidInput
        If the model has no thresholds, or one that is not finite; for a subclass of one of
        this package's layers.

    Examples
    --------
    >>> model = convert(nn.Sequential(nn.Linear(64, 300)), initial=0.1)
    >>> mask = finalize(model)["0.weight"]
    >>> bool((mask == (model[0].weight != 0)).all()), type(model[0]) is nn.Linear
    (True, True)
    """
    weights = list(sparse_weights(model))
    for weight in weights:
        if type(weight.module) not in PLAIN:
            raise InvalidInput(
                f"{weight.name} is of {type(weight.module).__name__}, whose plain kind is not "
                "known: expected layers of masksolve.torch.dst themselves"
            )
    masks = {weight.name: weight.mask() for weight in weights}
    owners = Counter(id(p) for module in model.modules() for p in module.parameters(recurse=False))
    with torch.no_grad():
        for weight in weights:
            used = weight.dense * masks[weight.name]
            if owners[id(weight.dense)] == 1:
                weight.dense.copy_(used)
            else:  # whoever shares it uses all of it, or another part
                own = nn.Parameter(used, requires_grad=weight.dense.requires_grad)
                setattr(weight.module, weight.tensor_name, own)
    for module in {id(weight.module): weight.module for weight in weights}.values():
        module.drop_thresholds()
        module.__class__ = PLAIN[type(module)]
    _keep_off_fast_paths(model)
    return masks


def _check_weights(name: str, module: nn.Module) -> None:
    """Refuse weights that cannot have thresholds, before any module is changed."""
    for tensor_name in SPARSE[type(module)].matrices(module):
        full = f"{name}.{tensor_name}".lstrip(".")
        weight = module._parameters.get(tensor_name)
        if weight is None:
            raise InvalidInput(
                f"{full} is computed from other tensors, as by torch.nn.utils.prune and "
                "weight_norm: remove that first"
            )
        if not weight.dtype.is_floating_point:
            raise InvalidInput(
                f"{full} is of {weight.dtype}: thresholds are for floating-point numbers"
            )


def _keep_off_fast_paths(model: nn.Module) -> None:
    """Keep torch's transformer layers from handing bare weights to a kernel of their own.

    In evaluation they call no forward of their linear layers, unless told that their
    activation is neither ReLU nor GELU. Without thresholds they are told the truth again.
    """
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            masked = any(isinstance(child, Thresholded) for child in module.children())
            module.activation_relu_or_gelu = 0 if masked else _activation_code(module)


def _activation_code(layer: nn.TransformerEncoderLayer) -> int:
    """Return an activation's number, as torch gives it when it makes such a layer."""
    activation = layer.activation
    if activation is functional.relu or isinstance(activation, nn.ReLU):
        return 1
    return 2 if activation is functional.gelu or isinstance(activation, nn.GELU) else 0


def _nothing(model: nn.Module, selected: Collection[nn.Module]) -> str:
    wanted = ", ".join(kind.__name__ for kind in SPARSE)
    if any(isinstance(module, Thresholded) for module in selected):
        return f"{type(model).__name__} is converted already: what is selected has thresholds"
    kinds = sorted({type(module).__name__ for module in selected})
    there = ", ".join(kinds[:8]) + (", ..." if len(kinds) > 8 else "")
    return (
        f"nothing in {type(model).__name__} can have thresholds: expected {wanted}, "
        f"selected is {there or 'nothing'}"
    )
