"""Does a model still use the masks of its handle? A look that costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from masksolve.errors import InvalidInput
from masksolve.torch.layer import Layer, masked_layers
from masksolve.torch.names import Place
from masksolve.torch.validity import breach_of, refuse_broken, refuse_spoilt

__all__ = ["Links", "reset_broken"]


def reset_broken(layers: list[Layer]) -> list[Layer]:
    """Let masks that break their pattern keep everything, as at first; return whose they are."""
    broken = [layer for layer in layers if breach_of(layer.masked) is not None]
    for layer in broken:
        layer.masked.keep_all()
    return broken


class Links:
    """Which module holds which, from a model down to each of its masks.

    As long as all of that holds, the model uses the masks that its handle renews. That takes
    comparisons of identities, a few for a layer; only if one fails is the model looked at.

    Parameters
    ----------
    model : Module
    layers : list of Layer
        All its masks.
    """

    def __init__(self, model: nn.Module, layers: list[Layer]) -> None:
        self._model, self._layers = model, layers
        self._links = list(dict.fromkeys(_links(model, layers)))
        places = [place for layer in layers for place in layer.places]
        self._rows = [(p, p.module.num_embeddings) for p in places if _is_embedding(p)]

    def check(self, step: int, *, masks: bool = False) -> None:
        """Refuse to go on with a layer that the model no longer has, or no longer masks.

        Parameters
        ----------
        step : int
        masks : bool
            Whether the masks themselves must obey their patterns, too.

        Raises
        ------
        InvalidInput
            Naming the weight, what became of it, and what to do.
        MaskViolation
            If a mask breaks its pattern.
        """
        for holder, key, held in self._links:
            if holder._modules.get(key) is not held:
                self._look(step)
                break
        for place, rows in self._rows:
            if place.module.num_embeddings != rows:
                raise InvalidInput(
                    f"{place.name} was resized by step {step}, from {rows} rows to "
                    f"{place.module.num_embeddings}, which its mask does not follow: "
                    "resize before sparsify, or after finalize"
                )
        for layer in self._layers if masks else ():
            refuse_broken(layer, "refresh solves it anew")

    def _look(self, step: int) -> None:
        there = masked_layers(self._model)
        held_at = {(p.module, p.tensor_name, a.masked) for a in there for p in a.places}
        for layer in self._layers:
            for place in layer.places:
                if (place.module, place.tensor_name, layer.masked) not in held_at:
                    raise InvalidInput(
                        f"{place.name} lost its mask by step {step}: "
                        f"{_fate(self._model, place)}; {_remedy(there)}"
                    )
            refuse_spoilt(layer)
        self._links = list(dict.fromkeys(_links(self._model, there)))  # wrapped, say


def _links(
    model: nn.Module, layers: list[Layer]
) -> Iterator[tuple[nn.Module, str, nn.Module | None]]:
    """Go through (holder, key, held) on all ways from a model to its masks."""
    for layer in layers:
        for place in layer.places:
            holder, chain = model, place.module.parametrizations[place.tensor_name]
            number = next(key for key, link in chain._modules.items() if link is layer.masked)
            stem = place.name[: -len(place.tensor_name)]
            for key in f"{stem}parametrizations.{place.tensor_name}.{number}".split("."):
                held = holder._modules[key]
                assert held is not None  # or no mask would have been found there
                yield holder, key, held
                holder = held
            yield chain, str(len(chain)), None  # and nothing more is done to the weight


def _is_embedding(place: Place) -> bool:
    """Tell modules that say how many rows they have, which others then change in place."""
    return isinstance(place.module, nn.Embedding | nn.EmbeddingBag)


def _fate(model: nn.Module, place: Place) -> str:
    """Say what became of a weight that has no mask any more."""
    path = place.name[: -len(place.tensor_name) - 1]
    try:
        now = model.get_submodule(path)
    except AttributeError:
        return f"the model has no {path} any more"
    if now is place.module:
        return f"its {place.tensor_name} is parametrized no more"
    kind = type_before_parametrizations(now)
    return f"{path} is another module now, a {kind.__module__}.{kind.__qualname__}"


def _remedy(there: list[Layer]) -> str:
    if not there:
        return "detach this handle, and sparsify the model again"
    return (
        "detach this handle and go on by Handle(model), with the masks that there are, "
        "or finalize that one and sparsify again"
    )
