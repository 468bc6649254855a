"""Masks that were saved beside a model's weights go back into the model."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from masksolve.checkpoints.load import load_masks
from masksolve.errors import FileFormatError, InvalidInput, about
from masksolve.storage.stored import StoredMask
from masksolve.torch.arrays import as_array
from masksolve.torch.distributed import whole
from masksolve.torch.layer import Layer, masked_layers
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.saving import GATHERED, MASKS

__all__ = ["restore_masks"]


def restore_masks(
    handle: Handle,
    path: str | Path | None = None,
    *,
    model: nn.Module | None = None,
    force: bool = False,
) -> None:
    """Give a model back the masks that were saved with its weights.

    Parameters
    ----------
    handle : Handle
        To a model with these weights, sparsified in the same way. Its history begins anew.
    path : str or Path, optional
        A file of masks, or the folder that ``save_pretrained`` or Hugging Face's Trainer
        wrote. Default: where ``from_pretrained`` found the model.
    model : Module, optional
        What was saved, if `handle` has but a part of it.
    force : bool
        Whether any weights of a mask's shape will do.

    Raises
    ------
    InvalidInput
        If a mask is missing, belongs to another pattern, layout or, unless forced, to other
        weights; all masks stay as they were then.
    FileFormatError
        If there is no such file, or it is damaged.

    Examples
    --------
    >>> import tempfile, pathlib, torch
    >>> import masksolve as ms, masksolve.torch as mst
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 8))
    >>> handle = mst.sparsify(model, "2:4")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ms.save_masks(pathlib.Path(folder, "masks.safetensors"), mst.masks_of(model))
    ...     mst.restore_masks(handle, pathlib.Path(folder, "masks.safetensors"))
    """
    whole_model = handle.model if model is None else model
    file = _file(whole_model, path)
    masks = load_masks(file)
    mine = {layer.masked for layer in handle.layers}
    found = []
    for layer in masked_layers(whole_model):
        names = {place.name for place in layer.places} & masks.keys()
        stored = [masks.pop(name) for name in names][:1]
        if layer.masked in mine:
            if not stored:
                raise InvalidInput(f"{file} has no mask for {layer.name}; nothing was changed")
            with about(f"{file}: {layer.name}"):
                _refuse_unfit(handle, layer, stored[0], force)
            found.append((layer, stored[0]))
    if masks:
        raise InvalidInput(
            f"{file} has a mask for {next(iter(masks))}, which has none in the model: sparsify "
            "it in the same way; nothing was changed"
        )
    gathered = _gathered(file)
    for layer, _ in found:
        _take(layer, gathered, file)
    for layer, mask in found:
        layer.masked.write(mask.mask, mask.pattern)
        layer.masked.came = "masked"
    handle.load_state_dict(handle.state_dict())


def _file(model: nn.Module, path: str | Path | None) -> Path:
    """Return the file of masks that is meant."""
    if path is None:
        path = getattr(getattr(model, "config", None), "_name_or_path", None)
        if not path or not Path(path).is_dir():
            raise InvalidInput(
                f"{type(model).__name__} was not read from a folder here: say where its masks are"
            )
    path = Path(path)
    return path / MASKS if path.is_dir() else path


def _gathered(masks: Path) -> dict[str, Tensor]:
    """Read what scores had gathered, if it lies beside the masks."""
    file = masks.with_name(GATHERED)
    if masks.name != MASKS or not file.exists():
        return {}
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise FileFormatError(f"{file}: {error}") from None


def _take(layer: Layer, gathered: dict[str, Tensor], masks: Path) -> None:
    """Let scores go on from what they had gathered of a layer."""
    start = f"{layer.name}."
    mine = {key[len(start) :]: value for key, value in gathered.items() if key.startswith(start)}
    wrong = layer.masked.gathered.load(mine, layer.mask.device)
    if wrong is not None:
        file = masks.with_name(GATHERED)
        raise InvalidInput(f"{file} has what the score gathered, of shape {wrong}")


def _refuse_unfit(handle: Handle, layer: Layer, stored: StoredMask, force: bool) -> None:
    due = handle._schedule.pattern(layer.masked.pattern, handle.steps)
    if stored.pattern != due:
        raise InvalidInput(
            f"the mask is {stored.pattern}: the model's is {due} at step {handle.steps}"
        )
    axes = tuple(axis % layer.mask.ndim for axis in layer.layout.axes)
    if (stored.axes, stored.layout.parts) != (axes, layer.layout.parts):
        raise InvalidInput(f"the mask lies along axes {stored.axes}: the model's along {axes}")
    weight = as_array(whole(layer.weight), "the weight")
    stored.fitting(weight)
    if not force:
        stored.check(weight)
