"""How much is run: a look in seconds, or everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..shared.experiment import common

__all__ = ["DELTA", "SAMPLERS", "SIZES", "Size"]

SAMPLERS = ("deterministic", "hybrid", "random", "uniform", "magnitude")
DELTA = 0.01
"""With the published 1e-16 no trial could ever show a failure."""


@dataclass(frozen=True)
class Size:
    """What a run of the experiment covers.

    Attributes
    ----------
    name : str
    width : int
        Channels of the networks' first stage; the second and third have twice and four
        times as many.
    epochs, tuning : int
        Of training, and after pruning.
    batch : int
    learned, calibration, checked : int
        Digits that are learned, sensitivities come from, and errors are measured on
        besides; the last are held out.
    budgets : tuple of float
    draws : int
        Times that samplers by chance prune a network to a budget.
    seeds : int
        Unless the command says otherwise.
    """

    name: str
    width: int
    epochs: int
    tuning: int
    batch: int
    learned: int
    calibration: int
    checked: int
    budgets: tuple[float, ...]
    draws: int
    seeds: int

    def settings(self) -> dict[str, Any]:
        """Return what two runs must have in common, for the file."""
        return common(self) | {"delta": DELTA}


SIZES = {
    size.name: size
    for size in (
        Size("smoke", 4, 1, 1, 100, 200, 8, 8, (0.7, 0.4), 2, 2),
        Size(
            "full", 12, 16, 3, 64, 1200, 32, 64, (0.9, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.05), 5, 8
        ),
    )
}
