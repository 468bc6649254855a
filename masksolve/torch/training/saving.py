"""A masked model saves plain weights, as ``save_pretrained`` does, with the masks beside them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from masksolve.errors import MaskViolation
from masksolve.pattern import Pattern
from masksolve.storage.masks import save_masks
from masksolve.storage.stored import StoredMask
from masksolve.torch.distributed import whole
from masksolve.torch.layer import Layer, masked_layers
from masksolve.torch.model_masks import stored_mask
from masksolve.torch.plain_state import to_plain

__all__ = ["GATHERED", "MASKS", "save_beside", "save_plainly", "save_usually"]

MASKS = "model.masks"
"""A file of masks. Not of the ending that makes readers take it for a shard of the weights."""
GATHERED = "model.gathered"
"""What scores have gathered of the training, where they gather anything; safetensors, too."""


def save_plainly(model: nn.Module) -> None:
    """Let what a model saves by ``save_pretrained`` be plain, and so its masked parts."""
    for module in model.modules():
        usual = getattr(type(module), "save_pretrained", None)
        if (
            usual is not None
            and "save_directory" in inspect.signature(usual).parameters
            and masked_layers(module)
        ):
            module.save_pretrained = PlainSaver(module)


def save_usually(model: nn.Module) -> None:
    """Take back what `save_plainly` did."""
    for module in model.modules():
        if isinstance(vars(module).get("save_pretrained"), PlainSaver):
            del module.save_pretrained


class PlainSaver:
    """The ``save_pretrained`` of a model with masks; an object, so that copies have their own."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __call__(self, *args: Any, **named: Any) -> Any:
        model = self.model
        usual: Any = type(model).save_pretrained
        if hasattr(model, "peft_config"):  # adapters alone are saved
            return usual(model, *args, **named)
        layers = masked_layers(model)
        if not layers:  # finalized by a handle to a part
            return usual(model, *args, **named)
        bound = inspect.signature(usual).bind(model, *args, **named)
        given = bound.arguments
        folder, writes = Path(given["save_directory"]), given.get("is_main_process", True)

        def part(module: Any, state: MutableMapping[str, Any], prefix: str, *_: Any) -> None:
            to_plain(state, layers, prefix)
            save_beside(layers, folder if writes else None, state)

        if given.get("state_dict") is not None:
            given["state_dict"] = dict(given["state_dict"])  # the caller's own stays as it is
            part(model, given["state_dict"], "")
            return usual(*bound.args, **bound.kwargs)
        # When the state is asked for: what is in the folder by then is not sent to the Hub.
        hook = model.register_state_dict_post_hook(part)
        try:
            return usual(model, *args, **named)
        finally:
            hook.remove()


def save_beside(layers: list[Layer], folder: Path | None, state: Mapping[str, Any]) -> None:
    """Write the masks, and what scores have gathered, into a folder of weights.

    None writes nothing. All processes that share a weight must call, to gather it. The masks
    are those of the weights in a plain state, which may be other ones than the model's.
    """
    masks = {layer.name: _as_it_is(layer, state.get(layer.name, layer.weight)) for layer in layers}
    gathered = {
        f"{layer.name}.{name}": whole(value).detach().cpu().contiguous()
        for layer in layers
        for name, value in layer.masked.gathered.save()
    }
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        save_masks(folder / MASKS, masks)
        if gathered:
            save_file(gathered, folder / GATHERED)
        else:  # of another training before
            (folder / GATHERED).unlink(missing_ok=True)


def _as_it_is(layer: Layer, weight: Tensor) -> StoredMask:
    """Return a mask with the pattern that it obeys: in a warm-up or a ramp it keeps more."""
    final = layer.masked.pattern
    for n in range(final.n, final.m + 1):
        pattern = Pattern(n, final.m, transposable=final.transposable, at_most=final.at_most)
        try:
            return stored_mask(layer.mask, weight, pattern, layout=layer.layout)
        except MaskViolation:
            continue
    raise AssertionError("m of m is no restriction")
