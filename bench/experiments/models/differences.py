"""What the two ways mask differently in a model, by name, and what each says of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .findings import Difference

__all__ = ["Way", "differences", "general", "starred"]

Named = Mapping[str, Tensor]


class Way(NamedTuple):
    """What a way did to a model in memory.

    Attributes
    ----------
    masks : mapping of str to Tensor
        By the parameters' names; bool, true where weights are kept.
    reasons : dict of str to str
        Why others have none, by the parameters' names, or the modules'.
    refused : str
        What it said, if it refused the model.
    """

    masks: Named
    reasons: dict[str, str]
    refused: str


def differences(
    modules: Way, file: Way, weights: Named, holders: Mapping[str, str]
) -> list[Difference]:
    """Name what is not masked alike, and what the way says of it that did not choose it.

    Parameters
    ----------
    modules, file : Way
    weights : mapping of str to Tensor
        As they were, dense.
    holders : mapping of str to str
        The types of the modules that hold the weights.
    """
    found: Counter[tuple[str, str, str, str]] = Counter()
    for name in sorted(modules.masks.keys() | file.masks.keys()):
        chosen_by, why = "both", ""
        if name not in file.masks:
            chosen_by, why = "module", _said(name, file)
        elif name not in modules.masks:
            chosen_by, why = "file", _said(name, modules)
        elif _alike(weights[name], modules.masks[name], file.masks[name]):
            continue
        found[starred(name), holders[name], chosen_by, general(why)] += 1
    return [
        Difference(name=name, module=module, count=count, chosen_by=chosen_by, why=why)
        for (name, module, chosen_by, why), count in found.items()
    ]


def starred(name: str) -> str:
    """Write numbers in a name as stars, so that layers alike have one name."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)


def general(why: str) -> str:
    """Return a reason without what differs from weight to weight."""
    return re.sub(
        r"\b\d+( x \d+)?\b", lambda number: "N x N" if number[1] else "N", why.split(": ")[0]
    )


def _alike(values: Tensor, mask: Tensor, other: Tensor) -> bool:
    """Tell whether two masks are the same, or as good: large matrices hold equal weights."""
    kept, as_well = (float(values[one].double().abs().sum()) for one in (mask, other))
    return torch.equal(mask, other) or abs(kept - as_well) <= 1e-12 * kept


def _said(name: str, way: Way) -> str:
    """Return what a way says of a weight, or of the module that holds it."""
    known = (one for one in way.reasons if name == one or name.startswith(f"{one}."))
    return next((way.reasons[one] for one in known), way.refused)
