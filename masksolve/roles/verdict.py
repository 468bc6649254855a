"""What is known of a tensor."""

from __future__ import annotations

from typing import NamedTuple

from masksolve.layout import Layout

__all__ = ["Verdict"]


class Verdict(NamedTuple):
    """What is known of a tensor.

    A tensor is chosen by default if it has a `layout`, and no `why`.

    Attributes
    ----------
    layout : Layout or None
        Of the matrices that its products multiply, as far as name and shape tell.
    why : str or None
        Why it is no matrix of a product, or none that should be pruned.
    unsure : bool
        Whether inputs and outputs might be the other way round, which is nothing to a
        transposable pattern; without a layout and a reason: whether it might be matrices
        along axes that nobody knows.
    regrouped : str or None
        Why whole tiles in the file are none in the model that is made of it. A transposable
        mask of the file would not hold there; a plain one along the inputs would.
    """

    layout: Layout | None
    why: str | None = None
    unsure: bool = False
    regrouped: str | None = None
