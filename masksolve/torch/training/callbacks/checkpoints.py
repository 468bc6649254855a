"""Checkpoints of Hugging Face's Trainer: plain weights, and masks that are found again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from masksolve.checkpoints.load import load_masks
from masksolve.errors import InvalidInput, MasksolveError
from masksolve.torch.arrays import as_array
from masksolve.torch.layer import masked_layers
from masksolve.torch.plain_state import to_plain
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.restoring import restore_masks
from masksolve.torch.training.saving import MASKS, save_beside

__all__ = ["find_masks", "masks_of_the_best", "save_module", "take_plain"]

WEIGHTS = "model.safetensors"


def take_plain(handle: Handle) -> None:
    """Let plain weights be loaded from now on: Trainer does, and the callback finds the masks.

    Also after a training, as another one may resume it. Who loads them otherwise hears of it.
    """
    for layer in handle.layers:
        layer.masked.takes_plain, layer.masked.came = True, None


def save_module(model: nn.Module, folder: Path, writes: bool) -> None:
    """Make plain what Trainer wrote of a model without ``save_pretrained``: its state."""
    layers = masked_layers(model)
    save_beside(layers, folder if writes else None, {})
    if writes and (folder / WEIGHTS).exists():
        state = load_file(folder / WEIGHTS)
        to_plain(state, layers)
        whole = folder / f"{WEIGHTS}.part"
        save_file(state, whole, metadata={"format": "pt"})
        whole.replace(folder / WEIGHTS)


def find_masks(handle: Handle, model: nn.Module, args: Any, state: Any, saved: Any) -> None:
    """Give a model that Trainer resumes its masks back.

    Trainer tells nobody from which folder it resumes. It is looked for where it may be, and
    weights tell whether it is the one: the masks know their hash.

    Raises
    ------
    InvalidInput
        If no folder has masks for these weights.
    """
    problem = None
    tried = list(dict.fromkeys(_places(args, state, saved)))
    for folder in tried:
        if (folder / MASKS).exists():
            try:
                _complete(model, folder)
                restore_masks(handle, folder, model=model)
            except MasksolveError as error:
                problem = problem or error
            else:
                return
    raise problem or InvalidInput(
        f"no masks for the checkpoint of step {state.global_step}: there is no {MASKS} in "
        f"{', '.join(map(str, tried))}; say where it is by "
        "TrainingArguments(resume_from_checkpoint=...)"
    )


def _places(args: Any, state: Any, saved: Any) -> Iterator[Path]:
    """Return where a checkpoint may be: as the arguments say, in the run that wrote it, in this."""
    if isinstance(args.resume_from_checkpoint, str):
        yield Path(args.resume_from_checkpoint)
    for run in (saved.get("output_dir"), args.output_dir):
        if run is not None:
            yield Path(run, f"checkpoint-{state.global_step}")


def _complete(model: nn.Module, folder: Path) -> None:
    """Load weights that Trainer did not, as files hold them in other pieces than the model.

    Such as experts, which ``from_pretrained`` puts together and ``load_state_dict`` does not.
    """
    layers = masked_layers(model)
    if not hasattr(model, "from_pretrained") or all(layer.masked.came for layer in layers):
        return
    masks = load_masks(folder / MASKS)
    for layer in layers:
        if layer.masked.came and layer.name in masks:  # else it is another training's folder
            masks[layer.name].check(as_array(layer.weight, layer.name))
    plain: Any = type(model).from_pretrained(folder, dtype=model.dtype)
    model.load_state_dict(plain.state_dict(), strict=False)


def masks_of_the_best(handle: Handle, model: nn.Module, folder: str) -> None:
    """Give a model whose best weights were loaded the masks that it had then.

    If those are of a warm-up or ramp, masks are solved anew, with a warning.
    """
    try:
        restore_masks(handle, folder, model=model)
    except MasksolveError as error:
        warnings.warn(f"{error}: masks are solved anew for the best weights", stacklevel=2)
        handle.refresh()
