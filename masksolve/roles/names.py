"""What a tensor is by its name and shape."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from masksolve.layout import Layout
from masksolve.roles.facts import Facts

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """What is known of a tensor.

    Attributes
    ----------
    layout : Layout or None
        Of the matrices that its products multiply, as far as name and shape tell.
    why : str or None
        Why it is not chosen.
    unsure : bool
        Whether inputs and outputs might be the other way round.
    """

    layout: Layout | None
    why: str | None = None
    unsure: bool = False


def judge(name: str, shape: Sequence[int], facts: Facts, names: Set[str]) -> Verdict:
    """Judge a tensor of a model.

    Parameters
    ----------
    name : str
    shape : sequence of int
    facts : Facts
    names : set of str
        Of all tensors of the model: some are known by their neighbours.
    """
    parts = name.split(".")
    if len(shape) < 2:
        return Verdict(None, "it is no matrix")
    if any("embed" in part for part in parts[-2:]):
        return Verdict(Layout(), "an embedding is a lookup, not a product")
    if len(shape) == 2:
        return Verdict(Layout())
    if any("experts" in part for part in parts):
        return Verdict(Layout((1, 2)), unsure=True)
    return Verdict(Layout())
