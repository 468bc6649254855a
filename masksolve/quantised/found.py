"""What is known of a weight that is quantised."""

from __future__ import annotations

from dataclasses import dataclass

from masksolve.quantised.coding import Coding

__all__ = ["Found"]


@dataclass(frozen=True)
class Found:
    """A quantised weight.

    Attributes
    ----------
    name : str
        Of the tensor that holds its codes.
    weight : str
        What the weight would be called if it was not quantised.
    companions : tuple of str
        Tensors that are made of it and are no weights: scales, zero points, shapes.
    coding : Coding or None
        How codes become weights; None: `why` not.
    why : str or None
        Why its weights cannot be had.
    wrong : str or None
        What does not fit together, naming file and tensor.
    """

    name: str
    weight: str
    companions: tuple[str, ...]
    coding: Coding | None = None
    why: str | None = None
    wrong: str | None = None
