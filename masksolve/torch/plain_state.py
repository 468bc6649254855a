"""States of masked models under the names that the plain model has for its weights."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from masksolve.torch.layer import Layer
from masksolve.torch.names import Place

__all__ = ["code_name", "from_plain", "mask_name", "to_plain"]


def to_plain(state: MutableMapping[str, Any], layers: Iterable[Layer], prefix: str = "") -> None:
    """Call the dense weights in a state as the plain model does, and leave the masks out."""
    names = {}
    for layer in layers:
        for place in layer.places:
            inside = _inside(place, prefix)
            names[f"{inside}original"] = f"{prefix}{place.name}"
            for key in [key for key in state if key.startswith(inside)]:
                names.setdefault(key, "")
    items = list(state.items())
    state.clear()  # in place, as torch hands it on, and in the order that it was in
    for key, value in items:
        name = names.get(key, key)
        if name:
            state[name] = value


def from_plain(state: MutableMapping[str, Any], layers: Iterable[Layer], prefix: str = "") -> None:
    """Undo `to_plain`, with the masks that the layers have; notes what came without one."""
    for layer in layers:
        for place in layer.places:
            inside, name = _inside(place, prefix), f"{prefix}{place.name}"
            code = state.get(code_name(place, prefix))
            if code is not None:
                # Its own: a module around this one was here before.
                layer.masked.came = "plain" if code is layer.masked.code else "masked"
            elif name in state:
                layer.masked.came = "plain"
                state[f"{inside}original"] = state.pop(name)
                for buffer_name, buffer in layer.masked.named_buffers():
                    state[f"{inside}0.{buffer_name}"] = buffer


def code_name(place: Place, prefix: str = "") -> str:
    """Return under which name the state of a masked model tells the pattern of a weight."""
    return f"{_inside(place, prefix)}0.code"


def mask_name(place: Place, prefix: str = "") -> str:
    """Return under which name it has the mask of a weight."""
    return f"{_inside(place, prefix)}0.mask"


def _inside(place: Place, prefix: str) -> str:
    """Return what the names of all that belongs to a masked weight begin with."""
    stem = place.name[: -len(place.tensor_name)]
    return f"{prefix}{stem}parametrizations.{place.tensor_name}."
