"""The one signature that every method stands behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Method", "TileSolution", "TileSolver"]


@dataclass(frozen=True, eq=False)
class TileSolution:
    """Masks of some tiles, and what the method knows about them.

    Attributes
    ----------
    mask : ndarray of bool, shape (t, h, w)
    row_potentials, column_potentials : ndarray of float64, shapes (t, h) and (t, w)
        A proof for `masksolve.certificate` to check; None where there is none.
    loss_bound : ndarray of float64, shape (t,), or None
        At most this much score was lost in each tile, known without potentials.
    counts : Mapping
        Numbers for `MaskResult.stats`, added up over all tiles.
    """

    mask: NDArray[np.bool_]
    row_potentials: NDArray[np.float64] | None = None
    column_potentials: NDArray[np.float64] | None = None
    loss_bound: NDArray[np.float64] | None = None
    counts: Mapping[str, float] = field(default_factory=dict)


class TileSolver(Protocol):
    """Solve some tiles that share one constraint."""

    def __call__(
        self,
        scores: NDArray[np.float64],
        n: int,
        at_most: bool,
        start: NDArray[np.float64] | None = None,
    ) -> TileSolution:
        """Maximise the kept score of each tile.

        Parameters
        ----------
        scores : ndarray of float64, shape (t, h, w)
            C-contiguous, finite; h = w = m, or h = 1 for plain N:M.
        n : int
            Entries to keep per line, at least 1.
        at_most : bool
            Whether lines may hold fewer.
        start : ndarray of float64, shape (t, w), optional
            Column potentials of an earlier solution; a hint, free to ignore.
        """
        ...


@dataclass(frozen=True)
class Method:
    """A way to find masks, and what it promises.

    Attributes
    ----------
    name : str
    exact : bool
        Whether it finds the optimum.
    guarantee : str
        What is promised of every mask, in one sentence; "kept" and "pruned" say
        which score the bound is on.
    reference : str
        Where the method comes from.
    solve_tiles : TileSolver
    max_m : int
        Largest tile side it takes.
    plain : bool
        Whether it solves plain (not transposable) patterns too.
    warm : bool
        Whether it makes use of a warm start.
    """

    name: str
    exact: bool
    guarantee: str
    reference: str
    solve_tiles: TileSolver = field(repr=False)
    max_m: int = 64
    plain: bool = False
    warm: bool = False

    def summary(self) -> dict[str, Any]:
        """Return what a table shows of it."""
        return {
            "name": self.name,
            "exact": self.exact,
            "plain": self.plain,
            "max_m": self.max_m,
            "guarantee": self.guarantee,
            "reference": self.reference,
        }
