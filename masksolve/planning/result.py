"""What `plan` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from masksolve import hardware
from masksolve.planning.picture import draw
from masksolve.planning.rows import PlanRow
from masksolve.planning.tables import as_text

__all__ = ["Plan"]


@dataclass(frozen=True, repr=False)
class Plan:
    """Patterns side by side on given weights. ``print(plan)`` shows the tables.

    Attributes
    ----------
    rows : tuple of PlanRow
        A pattern each, all layers together.
    layers : tuple of PlanRow
        A layer and a pattern each, layer by layer.
    sample : int or None
        Most tiles that were solved of a layer; None: all of them.
    seed : int
        Of the sample.
    skipped : tuple of (str, str)
        What else a file or a module holds, and why it is not planned for.
    """

    rows: tuple[PlanRow, ...]
    layers: tuple[PlanRow, ...]
    sample: int | None
    seed: int
    skipped: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        patterns = ", ".join(str(row.pattern) for row in self.rows)
        return f"Plan({patterns}; {len(self.layers) // len(self.rows)} layers)"

    def __str__(self) -> str:
        return as_text(self.rows, self.layers, self.sample)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON takes it."""
        return {
            "sample": self.sample,
            "seed": self.seed,
            "hardware_checked": hardware.CHECKED,
            "rows": [row.to_dict() for row in self.rows],
            "layers": [row.to_dict() for row in self.layers],
            "skipped": [{"name": name, "why": why} for name, why in self.skipped],
        }

    def draw(self, path: str | PathLike[str]) -> None:
        """Draw kept score against density and against diversity; needs matplotlib.

        Parameters
        ----------
        path : str or path-like
            Its ending says the format: ``.png``, ``.svg``, ``.pdf``. Appears whole or not
            at all.

        Raises
        ------
        InvalidInput
            If matplotlib is not installed or knows no such format.
        FileFormatError
            If the file cannot be written.
        """
        draw(self.rows, Path(path))
