"""What the solvers give back: frozen records of masks, bounds and their proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.pattern import Pattern

__all__ = ["Certificate", "MaskResult", "Status", "TileResults"]


class Status(Enum):
    """How good a mask is known to be."""

    OPTIMAL = "optimal"
    """Valid, and every tile is proven optimal to 1e-12 of its score."""
    FEASIBLE = "feasible"
    """Valid; how far from the optimum is bounded by ``gap``, if that is known."""
    UNDERFILLED = "underfilled"
    """Some line of a full tile keeps fewer than the exactly-n pattern asks for."""


@dataclass(frozen=True, eq=False)
class TileResults:
    """Figures per tile, in the order of the matrix.

    With batch axes of shape ``B`` and a grid of ``R x C`` tiles, `objective` and
    `upper_bound` have shape ``(*B, R, C)``, the potentials one axis more. Plain
    N:M has a tile per line and group, with no column potentials to speak of (0).

    Attributes
    ----------
    objective : ndarray of float64
        Kept score of each tile.
    upper_bound : ndarray of float64 or None
        Proven bound on the score of any mask of the tile.
    row_potentials, column_potentials : ndarray of float64 or None
        Dual variables that prove `upper_bound`; kept only on request.
    """

    objective: NDArray[np.float64]
    upper_bound: NDArray[np.float64] | None
    row_potentials: NDArray[np.float64] | None = None
    column_potentials: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """A verdict on a mask: its score, a proven bound on any mask's, the gap between.

    Attributes
    ----------
    objective : float
        Kept score of the mask.
    upper_bound : float or None
        No mask that obeys the pattern scores more; None where nothing was proven.
    status : Status
        `Status.OPTIMAL` if each tile's gap is at most 1e-12 of its score.
    tiles : TileResults
        The same per tile.
    pattern : Pattern
        The pattern that the bound speaks of.
    axes : tuple of int
        The (output, input) axes of the matrix, counted from 0.
    """

    objective: float
    upper_bound: float | None
    status: Status
    tiles: TileResults
    pattern: Pattern
    axes: tuple[int, int]

    def __repr__(self) -> str:
        bound = "None" if self.upper_bound is None else f"{self.upper_bound:.10g}"
        return (
            f"{type(self).__name__}({self.pattern}, objective={self.objective:.10g}, "
            f"upper_bound={bound}, {self.status.name})"
        )

    @property
    def gap(self) -> float | None:
        """``upper_bound - objective``; None without a bound.

        Negative only for an `UNDERFILLED` mask: short lines can score more than
        any mask that fills them.
        """
        bounds = self.tiles.upper_bound
        return None if bounds is None else float((bounds - self.tiles.objective).sum())


@dataclass(frozen=True, eq=False, repr=False)
class MaskResult(Certificate):
    """A mask and what is known of it: all of `Certificate`, and the mask.

    Attributes
    ----------
    mask : ndarray of bool
        Shape of the weights, True = kept.
    method : str
        Name in `METHODS` of the method that made it, or ``"repair"``.
    stats : Mapping
        ``seconds``, ``threads``, ``tiles``, ``short_tiles`` (tiles of an exactly-n
        pattern with a short line) and what the method counts: ``augmentations``
        (exact), ``quantisation_loss`` (min_cost_flow), ``steps``, ``lowered_tiles``,
        ``lowered_score`` (repair).
    """

    mask: NDArray[np.bool_]
    method: str
    stats: Mapping[str, Any]
