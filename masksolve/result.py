"""What the solvers give back: frozen records of masks, bounds and their proof."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.certificate import kept_scores
from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.scores import Scores
from masksolve.tiles import TileLayout

__all__ = ["Certificate", "MaskResult", "SparseGaps", "Status", "TileResults"]


class Status(Enum):
    """How good a mask is known to be."""

    OPTIMAL = "optimal"
    """Valid, and every tile is proven optimal to 1e-12 of its score."""
    FEASIBLE = "feasible"
    """Valid; how far from the optimum is bounded by ``gap``, if that is known."""
    UNDERFILLED = "underfilled"
    """Some line of a full tile keeps fewer than the exactly-n pattern asks for."""

    @classmethod
    def worst(cls, found: Iterable[Status]) -> Status:
        """Return that of several masks together."""
        return max(found, key=list(cls).index)


@dataclass(frozen=True, eq=False, repr=False)
class TileResults:
    """Figures per tile, in the order of the matrix.

    With batch axes of shape ``B`` and a grid of ``R x C`` tiles, `objective` and
    `upper_bound` have shape ``(*B, R, C)``, the potentials one axis more. Plain
    N:M has a tile per line and group, with no column potentials to speak of (0).
    The objective is worked out from the weights when first asked for, and the bound
    from it and `gap`, so that the result of a large matrix takes little memory; the
    weights must not have changed by then.

    Attributes
    ----------
    row_potentials, column_potentials : ndarray of float64 or None
        Dual variables that prove `upper_bound`; kept only on request.
    """

    _layout: TileLayout
    _scores: Scores
    _mask: NDArray[np.bool_]
    _total: float
    _gaps: SparseGaps | None
    row_potentials: NDArray[np.float64] | None = None
    column_potentials: NDArray[np.float64] | None = None

    @cached_property
    def objective(self) -> NDArray[np.float64]:
        """Kept score of each tile.

        Raises
        ------
        InvalidInput
            If the weights are no longer what they were when they were solved.
        """
        layout = self._layout
        found = np.zeros(layout.stack_shape)
        size = 0.0
        for box in layout.boxes():
            scores = self._scores.tiles(layout, box)
            mask = layout.gather(self._mask, box, np.bool_)
            found[box.index] = kept_scores(scores, mask).reshape(box.shape)
            size += float(np.abs(scores).sum())
        if not abs(found.sum() - self._total) <= 1e-10 * size:
            raise InvalidInput(
                "the weights have changed since they were solved: no figures per tile are left"
            )
        return layout.per_tile(found)

    @cached_property
    def gap(self) -> NDArray[np.float64] | None:
        """Upper bound less objective of each tile, or None without a bound."""
        if self._gaps is None:
            return None
        found = np.zeros(self._layout.tiles)
        found[self._gaps.tile] = self._gaps.value
        return self._layout.per_tile(found.reshape(self._layout.stack_shape))

    @cached_property
    def upper_bound(self) -> NDArray[np.float64] | None:
        """Proven bound on the score of any mask of each tile, or None."""
        gap = self.gap
        return None if gap is None else self.objective + gap


class SparseGaps(NamedTuple):
    """The gaps that are not zero: few, for exact masks."""

    tile: NDArray[np.int64]
    value: NDArray[np.float64]

    @classmethod
    def of(cls, gaps: NDArray[np.float64]) -> SparseGaps:
        """Take them from the gaps of all tiles."""
        (tiles,) = (gaps != 0.0).nonzero()  # much faster than of the numbers themselves
        return cls(tiles, gaps[tiles])

    @classmethod
    def joined(cls, parts: Sequence[SparseGaps]) -> SparseGaps:
        """Put those of several pieces together."""
        return parts[0] if len(parts) == 1 else cls(*map(np.concatenate, zip(*parts, strict=True)))

    @property
    def total(self) -> float:
        """Their sum."""
        return float(self.value.sum()) if len(self.value) else 0.0


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
        return f"Certificate({self.pattern}, {_figures(self)})"

    @property
    def gap(self) -> float | None:
        """``upper_bound - objective``; None without a bound.

        Negative only for an `UNDERFILLED` mask: short lines can score more than
        any mask that fills them.
        """
        gaps = self.tiles._gaps
        return None if gaps is None else gaps.total


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
        ``seconds``, ``compile_seconds`` (apart from them: kernels are compiled, or loaded,
        at their first call), ``threads``, ``tiles``, ``short_tiles`` (tiles of an exactly-n
        pattern with a short line) and what the method counts. exact: the tiles proven
        in each of its stages, ``tiles_by_rounds`` (from a warm start
        ``tiles_by_warm_start``), ``tiles_by_more_rounds``, ``tiles_by_ties``,
        ``tiles_by_paths``, and ``augmentations``. min_cost_flow: ``quantisation_loss``.
        repair: ``steps``, ``lowered_tiles``, ``lowered_score``.
    """

    mask: NDArray[np.bool_]
    method: str
    stats: Mapping[str, Any]

    def __repr__(self) -> str:
        about = f"{self.pattern}, {self.method}, shape={self.mask.shape}, {_figures(self)}"
        return f"{type(self).__name__}({about})"


def _figures(found: Certificate) -> str:
    bound = "None" if found.upper_bound is None else f"{found.upper_bound:.10g}"
    return f"objective={found.objective:.10g}, upper_bound={bound}, {found.status.name}"
