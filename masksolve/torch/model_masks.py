"""Masks of models, in files and as torch.nn.utils.prune has them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from masksolve.checkpoints import load as files
from masksolve.errors import FileFormatError, InvalidInput, MasksolveError, MaskViolation, about
from masksolve.pattern import Pattern
from masksolve.roles import Facts, judge
from masksolve.storage.stored import StoredMask
from masksolve.storage.tensors import TensorFile
from masksolve.torch.arrays import as_array
from masksolve.torch.distributed import whole
from masksolve.torch.layer import masked_layers
from masksolve.torch.layouts import Layout, default_layout, layouts_of
from masksolve.torch.names import join

__all__ = ["load_masks", "masks_of", "prune_with", "stored_mask"]


def load_masks(path: str | Path) -> dict[str, Tensor]:
    """Read the masks of a file as tensors of bool, on the CPU.

    Parameters
    ----------
    path : str or Path
        As for `masksolve.load_masks`, which tells more about each mask.

    Returns
    -------
    dict of str to Tensor of bool
        By the name of the weights.
    """
    return {name: torch.from_numpy(m.mask) for name, m in files.load_masks(path).items()}


def stored_mask(
    mask: Tensor,
    weight: Tensor,
    pattern: Pattern | str,
    *,
    layout: Layout | None = None,
    method: str = "given",
    certify: bool = False,
) -> StoredMask:
    """Make of a mask in a tensor what `masksolve.save_masks` writes to files.

    Parameters
    ----------
    mask : Tensor of bool, or of 0 and 1
    weight : Tensor
        Which it belongs to.
    pattern : Pattern or str
    layout : Layout, optional
        Default: the first axis is the output, the second the input.
    method, certify
        As for `masksolve.StoredMask.of`.

    Raises
    ------
    MaskViolation
        If a line keeps too many.
    InvalidInput, InvalidPattern
        If the arguments do not fit together.

    Examples
    --------
    >>> import torch
    >>> weight = torch.arange(16.).reshape(4, 4)
    >>> stored_mask(torch.eye(4), weight, "1:4").objective
    30.0
    """
    wanted = Pattern.parse(pattern)
    layout = default_layout(tuple(weight.shape), wanted) if layout is None else layout
    return StoredMask.of(
        as_array(whole(mask), "mask"),
        wanted,
        as_array(whole(weight), "weight"),
        axes=layout.axes,
        parts=layout.parts,
        method=method,
        certify=certify,
    )


def masks_of(
    source: nn.Module | Mapping[str, Tensor] | str | Path,
    pattern: Pattern | str | None = None,
    *,
    layouts: Mapping[str, Layout] | None = None,
) -> dict[str, StoredMask]:
    """Collect the masks of a model, ready for `masksolve.save_masks`.

    Parameters
    ----------
    source : Module, state dict, or the file of one
        A model that `sparsify` gave masks, or one with buffers of `torch.nn.utils.prune`
        (``weight_mask``, and the dense ``weight_orig``). A state dict, or a file of one
        (safetensors, or what `torch.save` wrote), holds those buffers by the same names.
        Masks of one dimension, of biases, are left out: no pattern applies.
    pattern : Pattern or str
        Of prune's masks, which do not know theirs; those of `sparsify` do.
    layouts : mapping of str to Layout, optional
        By the name of the weight, where neither a module's type nor the name tells.
        Default: the first axis is the output, the second the input.

    Returns
    -------
    dict of str to StoredMask
        By the name of the weight, such as ``"encoder.fc1.weight"``.

    Raises
    ------
    InvalidInput
        If there are no masks, if some do not obey the pattern, or no pattern is given.
    FileFormatError
        If the file cannot be read.

    Examples
    --------
    >>> from torch import nn
    >>> from torch.nn.utils import prune
    >>> model = nn.Sequential(nn.Linear(4, 4))
    >>> _ = prune.custom_from_mask(model[0], "weight", torch.eye(4))
    >>> masks_of(model, "1:4")["0.weight"].mask.sum()
    np.int64(4)
    """
    found: dict[str, StoredMask] = {}
    if isinstance(source, nn.Module):
        for layer in masked_layers(source):
            found[layer.name] = stored_mask(
                layer.mask, layer.weight, layer.masked.pattern, layout=layer.layout
            )
        triples = _of_modules(source)
    else:
        triples = _of_state(source if isinstance(source, Mapping) else _read_state(source))
    for name, mask, weight, layout in triples:
        if mask.ndim < 2:
            continue
        if pattern is None:
            raise InvalidInput(f"the mask of {name} does not tell its pattern: say which")
        layout = (layouts or {}).get(name, layout)
        try:
            found[name] = stored_mask(mask, weight, pattern, layout=layout, method="prune")
        except (InvalidInput, MaskViolation) as error:
            raise InvalidInput(f"the mask of {name}: {error}") from None
    if not found:
        shown = source if isinstance(source, str | Path) else type(source).__name__
        raise InvalidInput(f"{shown} holds no masks")
    return found


def prune_with(
    target: nn.Module | Mapping[str, Tensor],
    masks: Mapping[str, StoredMask] | str | Path,
    *,
    force: bool = False,
) -> dict[str, Tensor] | None:
    """Give a model masks in the form of `torch.nn.utils.prune`.

    Parameters
    ----------
    target : Module or state dict
        Of dense weights. A module is changed in place: a weight becomes ``weight_orig``,
        with a buffer ``weight_mask``, and `torch.nn.utils.prune.remove` makes it dense
        again. A state dict stays as it is.
    masks : mapping of str to StoredMask, or a file
        By the name of the weight.
    force : bool
        Whether any weights of a mask's shape will do.

    Returns
    -------
    dict of str to Tensor, or None
        The state dict that such a module would have, if `target` is a state dict.

    Raises
    ------
    InvalidInput
        If a mask belongs to other weights, or there are none of its name; nothing is
        changed then.
    FileFormatError
        If the file of masks is damaged.

    Examples
    --------
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 4))
    >>> mask = stored_mask(torch.eye(4), model[0].weight, "1:4")
    >>> prune_with(model, {"0.weight": mask})
    >>> [name for name, buffer in model.named_buffers()]
    ['0.weight_mask']
    """
    chosen = files.load_masks(masks) if isinstance(masks, str | Path) else masks
    weights: Mapping[str, Tensor] = (
        dict(target.named_parameters(remove_duplicate=False))
        if isinstance(target, nn.Module)
        else target
    )
    for name, mask in chosen.items():
        if name not in weights:
            raise InvalidInput(f"{type(target).__name__} has no dense weights {name!r}")
        array = as_array(whole(weights[name]), name)
        with about(name):
            mask.fitting(array)
            if not force:
                mask.check(array)
    if isinstance(target, nn.Module):
        for name, mask in chosen.items():
            owner, _, tensor_name = name.rpartition(".")
            module = target.get_submodule(owner)
            prune.custom_from_mask(module, tensor_name, _like(mask, weights[name]))
        return None
    state: dict[str, Tensor] = {}
    for name, weight in target.items():
        if name in chosen:
            state[f"{name}_orig"] = weight
            state[f"{name}_mask"] = _like(chosen[name], weight)
        else:
            state[name] = weight
    return state


def _like(mask: StoredMask, weight: Tensor) -> Tensor:
    return torch.from_numpy(mask.mask).to(weight.device, weight.dtype)


def _of_modules(model: nn.Module) -> Iterator[tuple[str, Tensor, Tensor, Layout | None]]:
    for prefix, module in model.named_modules():
        for buffer_name, mask in module.named_buffers(recurse=False):
            tensor_name = buffer_name.removesuffix("_mask")
            original = module._parameters.get(f"{tensor_name}_orig")
            if tensor_name != buffer_name and original is not None:
                name = join(prefix, tensor_name)
                layout = layouts_of(module).get(tensor_name) or _by_name(name, mask)
                yield name, mask, original.detach(), layout


def _of_state(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor, Tensor, Layout | None]]:
    for key in state:
        name = key.removesuffix("_mask")
        if name != key and f"{name}_orig" in state:
            yield name, state[key], state[f"{name}_orig"], _by_name(name, state[key])


def _by_name(name: str, mask: Tensor) -> Layout | None:
    """Return the layout that a name and a shape tell, as in files."""
    return judge(name, tuple(mask.shape), Facts(), frozenset()).layout


def _read_state(path: str | Path) -> Mapping[str, Tensor]:
    """Read a state dict from safetensors, or from what torch.save wrote."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            pickled = file.read(2) in (b"PK", b"\x80\x02")
        if not pickled:
            TensorFile(path)  # says what is wrong with it
            from safetensors.torch import load_file

            return dict(load_file(path))
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except MasksolveError:
        raise
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror or error}") from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError):
        raise FileFormatError(f"{path} is no state dict that can be read safely") from None
    if not (isinstance(state, Mapping) and all(isinstance(key, str) for key in state)):
        raise FileFormatError(f"{path} holds no state dict")
    return state
