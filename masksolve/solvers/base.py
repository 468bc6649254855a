"""The one signature that every method stands behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from masksolve.solvers.options import Option

__all__ = ["LineSolver", "MatrixSolution", "MatrixSolver", "Method", "TileSolution", "TileSolver"]


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


class MatrixSolution(NamedTuple):
    """What a `MatrixSolver` knows of the masks that it wrote.

    Attributes
    ----------
    objective : float
        Kept score of all tiles.
    open_tiles : ndarray of int64
        Tiles whose gap is not zero, counted along one tile row after the other.
    open_gaps : ndarray of float64
        Dual bound less the kept score there, by the method's own float64 certificate.
    row_potentials, column_potentials : ndarray of float64, shape (t, m), or None
        If they were asked for.
    optimal : bool
        Whether every gap is within 1e-12 of its tile's score.
    counts : Mapping
        Numbers for `MaskResult.stats`, added up over all pieces.
    """

    objective: float
    open_tiles: NDArray[np.int64]
    open_gaps: NDArray[np.float64]
    row_potentials: NDArray[np.float64] | None
    column_potentials: NDArray[np.float64] | None
    optimal: bool
    counts: Mapping[str, float]


class MatrixSolver(Protocol):
    """Solve the tiles of a matrix where it lies, certificate included."""

    def __call__(
        self,
        matrix: NDArray[Any],
        magnitude: bool,
        n: int,
        m: int,
        at_most: bool,
        mask: NDArray[np.bool_],
        start: NDArray[np.float64] | None = None,
        old: NDArray[np.bool_] | None = None,
        potentials: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> MatrixSolution | None:
        """Maximise the kept score of each tile.

        Parameters
        ----------
        matrix : ndarray of float32 or float64, 2-D
            Sides are multiples of m, entries of a row adjacent in memory. Read only.
        magnitude : bool
            Whether the scores are the entries' magnitudes.
        n, m : int
            ``1 <= n < m``.
        at_most : bool
            Whether lines may hold fewer.
        mask : ndarray of bool
            Shape of the matrix, entries of a row adjacent; written.
        start : ndarray of float64, shape (t, m), optional
            Column potentials of an earlier solution.
        old : ndarray of bool, optional
            Its mask, in the shape of the matrix.
        potentials : pair of ndarray of float64, shape (t, m), optional
            Where to write the rows' and the columns' potentials, which are returned too.

        Returns
        -------
        MatrixSolution or None
            None if some score is not finite or beyond 2**960.
        """
        ...


class LineSolver(Protocol):
    """Solve the lines of a plain pattern where they lie, certificate included."""

    def __call__(
        self,
        lines: NDArray[Any],
        magnitude: bool,
        n: int,
        at_most: bool,
        mask: NDArray[np.bool_],
        potentials: bool = False,
    ) -> MatrixSolution | None:
        """Maximise the kept score of each line.

        Parameters
        ----------
        lines : ndarray of float32 or float64, shape (runs, lines, m)
            Read only. The lines of a run are adjacent in memory, or one entry apart.
        magnitude : bool
            Whether the scores are the entries' magnitudes.
        n : int
            ``1 <= n <= m``.
        at_most : bool
            Whether lines may hold fewer.
        mask : ndarray of bool, shape (runs, lines, m)
            Lies like the lines; written.
        potentials : bool
            Whether to return the potentials.

        Returns
        -------
        MatrixSolution or None
            Its row potentials of shape (runs, lines), its column potentials 0. None if
            some score is not finite or beyond 2**960.
        """
        ...


class TileSolver(Protocol):
    """Solve some tiles that share one constraint."""

    def __call__(
        self,
        scores: NDArray[np.float64],
        n: int,
        at_most: bool,
        start: NDArray[Any] | None = None,
        *args: Any,
        **options: Any,
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
        start : ndarray, optional
            Where to start from, of the kind that `Method.warm` names: column potentials
            (t, w), a hint that is free to ignore, or masks (t, h, w) to improve on.
        **options : float
            Every one of `Method.options`, by name. (No solver takes more positions:
            `args` is how types say that it need not name options it does not have.)
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
    solve_matrix : MatrixSolver, optional
        A faster way for full tiles of a transposable pattern with n < m.
    solve_lines : LineSolver, optional
        A faster way for full lines of a plain pattern.
    max_m : int
        Largest tile side it takes.
    plain : bool
        Whether it solves plain (not transposable) patterns too.
    warm : "potentials", "masks" or None
        What of an earlier result it can start from, if anything.
    options : Mapping of str to Option
        Its parameters by name.
    """

    name: str
    exact: bool
    guarantee: str
    reference: str
    solve_tiles: TileSolver = field(repr=False)
    solve_matrix: MatrixSolver | None = field(default=None, repr=False)
    solve_lines: LineSolver | None = field(default=None, repr=False)
    max_m: int = 64
    plain: bool = False
    warm: Literal["potentials", "masks"] | None = None
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)

    def summary(self) -> dict[str, Any]:
        """Return what a table shows of it."""
        return {
            "name": self.name,
            "exact": self.exact,
            "plain": self.plain,
            "max_m": self.max_m,
            "guarantee": self.guarantee,
            "reference": self.reference,
            "options": {name: option.summary() for name, option in self.options.items()},
        }
