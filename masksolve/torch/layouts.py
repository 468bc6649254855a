"""How a layer's parameter holds the matrix, or matrices, that its products multiply.

The forward product of a linear layer, ``x @ W.T``, runs along the inputs of W (output,
input), the input-gradient product, ``g @ W``, along its outputs. A convolution is a sum of
such products, one for each position of its kernel; a grouped one has a matrix a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from masksolve.errors import InvalidInput
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.torch.names import own_tensors

__all__ = ["Layout", "default_layout", "layout_of", "layouts_of", "register_layout"]


Layouts: TypeAlias = Callable[[nn.Module], Mapping[str, Layout]]
"""Gives the layouts of a module's parameters, by the parameters' names."""


def _linear(module: nn.Module) -> dict[str, Layout]:
    return {"weight": Layout()}


def _convolution(module: nn.Module) -> dict[str, Layout]:
    return {"weight": Layout(parts=module.groups)}


def _transposed_convolution(module: nn.Module) -> dict[str, Layout]:
    return {"weight": Layout(axes=(1, 0), parts=module.groups)}


def _attention(module: nn.Module) -> dict[str, Layout]:
    if module.in_proj_weight is not None:
        return {"in_proj_weight": Layout(parts=3)}
    return {f"{part}_proj_weight": Layout() for part in "qkv"}


def _cell(module: nn.Module) -> dict[str, Layout]:
    # All gates are one product: what it sums over going back runs through them.
    return {"weight_ih": Layout(), "weight_hh": Layout()}


def _input_first(module: nn.Module) -> dict[str, Layout]:
    return {"weight": Layout(axes=(1, 0))}


def _stacked(axes: tuple[int, int]) -> Layouts:
    """Make the layouts of modules that stack a matrix an expert in tensors of three axes."""

    def layouts(module: nn.Module) -> dict[str, Layout]:
        held = own_tensors(module)
        return {name: Layout(axes) for name, tensor in held if _dimensions(tensor) == 3}

    return layouts


def _dimensions(tensor: Tensor) -> int:
    return 0 if isinstance(tensor, UninitializedParameter) else tensor.ndim


def _dbrx(module: nn.Module) -> dict[str, Layout]:
    """One expert after the other, in tensors of two axes; the last product runs the other way."""
    parts = module.moe_num_experts
    return {"w1": Layout(parts=parts), "v1": Layout(parts=parts), "w2": Layout((1, 0), parts)}


_OUTPUTS_FIRST, _INPUTS_FIRST = _stacked((1, 2)), _stacked((2, 1))


_MODELS = "transformers.models"
_SPEECH = f"{_MODELS}.kyutai_speech_to_text.modeling_kyutai_speech_to_text"
_LAYOUTS: dict[type[nn.Module] | str, Layouts] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.ConvTranspose1d: _transposed_convolution,
    nn.ConvTranspose2d: _transposed_convolution,
    nn.ConvTranspose3d: _transposed_convolution,
    nn.MultiheadAttention: _attention,
    nn.RNNCell: _cell,
    nn.LSTMCell: _cell,
    nn.GRUCell: _cell,
    nn.Embedding: _linear,
    nn.EmbeddingBag: _linear,
    "transformers.pytorch_utils.Conv1D": _input_first,  # GPT-2's: a linear layer, transposed
    # What stacks matrices and does not say how, by is_transposed.
    f"{_MODELS}.convbert.modeling_convbert.GroupedLinearLayer": _INPUTS_FIRST,
    f"{_MODELS}.dbrx.modeling_dbrx.DbrxExpertGLU": _dbrx,
    f"{_MODELS}.inkling.modeling_inkling.InklingSharedExperts": _OUTPUTS_FIRST,
    f"{_MODELS}.jetmoe.modeling_jetmoe.JetMoeParallelExperts": _OUTPUTS_FIRST,
    f"{_SPEECH}.KyutaiSpeechToTextFlexibleLinear": _OUTPUTS_FIRST,
    f"{_MODELS}.llama4.modeling_llama4.Llama4TextExperts": _INPUTS_FIRST,
    f"{_MODELS}.longcat_flash.modeling_longcat_flash.LongcatFlashExperts": _OUTPUTS_FIRST,
    f"{_MODELS}.moshi.modeling_moshi.MoshiFlexibleLinear": _OUTPUTS_FIRST,
    f"{_MODELS}.step3p7.modeling_step3p7.Step3p7Experts": _OUTPUTS_FIRST,
}
"""By type, or by its full name so that nothing need be imported."""


def register_layout(kind: type[nn.Module], layouts: Layouts) -> None:
    """Tell how a type of module holds its matrices, for it and its subclasses.

    Parameters
    ----------
    kind : type
        A subclass of ``torch.nn.Module``.
    layouts : callable
        Given a module, returns a mapping from its parameters' names to their `Layout`.

    Examples
    --------
    >>> import torch
    >>> class Bilinear(torch.nn.Bilinear):
    ...     pass
    >>> register_layout(Bilinear, lambda module: {"weight": Layout(axes=(0, 2))})
    >>> layout_of(Bilinear(8, 8, 8)).axes
    (0, 2)
    """
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InvalidInput(f"register_layout expects a type of module, got {kind!r}")
    _LAYOUTS[kind] = layouts


def layouts_of(module: nn.Module) -> Mapping[str, Layout]:
    """Return the layouts of a module's own parameters; empty if nothing tells.

    Experts of transformers 5 have ``is_transposed``: whether a stack of theirs is (experts,
    inputs, outputs), or else (experts, outputs, inputs).
    """
    for kind in type(module).__mro__:
        found = _LAYOUTS.get(kind) or _LAYOUTS.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None:
            return found(module)
    transposed = getattr(module, "is_transposed", None)
    if isinstance(transposed, bool):
        return (_INPUTS_FIRST if transposed else _OUTPUTS_FIRST)(module)
    return {}


def layout_of(module: nn.Module, name: str = "weight") -> Layout:
    """Return how a module's parameter holds its matrices.

    Raises
    ------
    InvalidInput
        If the type of the module is not known, or has no such parameter.

    Examples
    --------
    >>> from torch import nn
    >>> layout_of(nn.Conv2d(16, 32, 3, groups=2))
    Layout(axes=(0, 1), parts=2)
    """
    known = layouts_of(module)
    if name in known:
        return known[name]
    kind = type(module).__name__
    if not known:
        raise InvalidInput(
            f"no layout is known for {kind}: tell it by masksolve.torch.register_layout"
        )
    raise InvalidInput(f"{kind} has no matrix {name!r}: it has {', '.join(known)}")


def default_layout(shape: Sequence[int], pattern: Pattern) -> Layout:
    """Return the layout of a tensor of which nothing else is known.

    Raises
    ------
    InvalidInput
        If it could be a stack of matrices, across which that would run, as well as a
        convolution.

    Examples
    --------
    >>> default_layout((64, 32, 3), Pattern.parse("2:4"))  # three positions: a convolution
    Layout(axes=(0, 1), parts=1)
    """
    if len(shape) == 3 and shape[2] >= pattern.m:
        raise InvalidInput(
            f"{' x '.join(map(str, shape))} may be a stack of matrices: say Layout((1, 2)) if "
            "these are outputs x inputs, Layout((2, 1)) if inputs x outputs, and Layout() for a "
            "convolution"
        )
    return Layout()
