"""Weights under a pattern: read box by box, solved by somebody else, put together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.certificate import TOLERANCE, kept_scores, proven, tile_gaps
from masksolve.compiling import Stopwatch
from masksolve.inputs import ScoreFunction, as_axes, as_threads
from masksolve.pattern import Pattern
from masksolve.result import MaskResult, SparseGaps, Status, TileResults
from masksolve.scores import as_scores
from masksolve.solvers import MatrixSolution, TileSolution
from masksolve.tiles import Box, TileLayout, tile_layout
from masksolve.totals import magnitudes

__all__ = ["Problem", "warn_of_kernels"]

NO_GAPS = SparseGaps(np.empty(0, dtype=np.int64), np.empty(0))


class _Piece(NamedTuple):
    """What is kept of a solved box."""

    box: Box
    objective: float
    gaps: SparseGaps
    bounded: bool
    optimal: bool
    short: int
    counts: Mapping[str, float]


class Problem:
    """Weights under a pattern, and the mask that takes shape for them.

    Whoever solves it, see `masksolve.tasks`, goes through its boxes in any order, by several
    threads: reads scores and calls `record` for what was found. `mask` is where it takes shape,
    whatever it holds before; with `totals` the magnitudes of all scores are added up as they
    are read. `down` says whether a plain pattern's lines run down the matrix as it lies in
    memory.
    """

    def __init__(
        self,
        weights: ArrayLike,
        pattern: Pattern | str,
        score: ScoreFunction | None,
        axes: tuple[int, int],
        threads: int | None,
        potentials: bool = False,
        mask: NDArray[np.bool_] | None = None,
        totals: bool = False,
    ) -> None:
        self.watch = Stopwatch()
        self.pattern = Pattern.parse(pattern)
        self.threads = as_threads(threads)
        self.scores = as_scores(weights, score)
        self.shape = self.scores.array.shape
        self.axes = as_axes(axes, len(self.shape), "weights")
        self.layout = tile_layout(self.shape, self.axes, self.pattern.tile_shape)
        self.down = not self.pattern.transposable and self._runs_down()
        self.mask = np.empty(self.shape, dtype=np.bool_) if mask is None else mask
        stack, (h, w) = self.layout.stack_shape, self.layout.tile
        self.potentials = (np.zeros((*stack, h)), np.zeros((*stack, w))) if potentials else None
        self._given = False
        self._pieces: list[_Piece] = []
        self._totals: list[float] | None = [] if totals else None

    def judge(self, mask: NDArray[np.bool_]) -> None:
        """Take a mask from outside, to be judged and not written to."""
        self.mask, self._given = mask, True

    def at_most(self, box: Box) -> bool:
        """Whether lines in the box may hold fewer than n."""
        return self.pattern.at_most or box.partial

    def tiles(self, box: Box) -> NDArray[np.float64]:
        """Read a box as scores ``(t, h, w)``."""
        found = self.scores.tiles(self.layout, box)
        if self._totals is not None:
            self._totals.append(magnitudes(found.reshape(-1)))
        return found

    def matrix(self, box: Box) -> NDArray[Any]:
        """Read a box of full tiles as `Scores.matrix` shows it, its lines lying across."""
        found = self.scores.matrix(self.layout, box, self.down)
        if self._totals is not None:
            self._totals.append(magnitudes(found.reshape(-1)))
        return found

    @property
    def total(self) -> float:
        """The magnitudes of all scores together; they were to be added up."""
        assert self._totals is not None
        return fsum(self._totals)

    def boxes(self, entries: int) -> Sequence[Box]:
        """Cut the matrix into boxes of about that many entries; an empty one if it has no tiles.

        What a method counts shows in its work alone: so it is the same for every shape.
        """
        boxes = self.layout.boxes(entries, self.down)
        if not boxes:
            matrices = slice(0, min(1, self.layout.stack_shape[0]))
            boxes = [Box(matrices, slice(0, 0), slice(0, 0), partial=True)]
        return boxes

    def _runs_down(self) -> bool:
        """Tell whether neighbours in memory lie in different lines."""
        row, column = (abs(self.scores.array.strides[axis]) for axis in self.axes)
        return row < column

    def record(self, box: Box, scores: NDArray[np.float64], found: TileSolution) -> None:
        """Keep what a method found for a box, with the gap that its proof leaves."""
        from masksolve.kernels.short_lines import count_short

        n, at_most, mask = self.pattern.n, self.at_most(box), found.mask
        u, v = found.row_potentials, found.column_potentials
        gaps = found.loss_bound
        if not self._given:
            self.layout.scatter(self.mask, box, mask)
        if u is not None and v is not None:
            gaps = tile_gaps(scores, mask, u, v, n, at_most)
        elif not box.tiles:  # nothing can be lost
            gaps = np.empty(0)
        self._keep(
            box,
            found,
            NO_GAPS if gaps is None else SparseGaps.of(gaps),
            objective=float(kept_scores(scores, mask).sum()),
            bounded=gaps is not None,
            optimal=gaps is not None and bool(proven(scores, mask, gaps).all()),
            short=0 if at_most else count_short(mask, n),
        )

    def record_matrix(
        self, box: Box, mask: NDArray[np.bool_] | None, found: MatrixSolution
    ) -> None:
        """Keep what a matrix solver found; `mask`: where it did not write in place."""
        if mask is not None:
            self.layout.put(self.mask, box, mask)
        gaps = SparseGaps(found.open_tiles, found.open_gaps)
        self._keep(box, found, gaps, objective=found.objective, optimal=found.optimal)

    def record_judged(
        self,
        box: Box,
        proof: MatrixSolution,
        kept: NDArray[np.float64],
        gaps: NDArray[np.float64],
        scale: NDArray[np.float64],
        short: int,
    ) -> None:
        """Keep the verdict on a mask from outside: kept scores, gaps, tolerance's scale."""
        found = SparseGaps.of(gaps)
        optimal = bool((gaps <= TOLERANCE * scale).all())
        self._keep(box, proof, found, objective=float(kept.sum()), optimal=optimal, short=short)

    def _keep(
        self,
        box: Box,
        found: TileSolution | MatrixSolution,
        gaps: SparseGaps,
        *,
        objective: float,
        optimal: bool,
        bounded: bool = True,
        short: int = 0,
    ) -> None:
        """Keep what is known of a box, its gaps, and the potentials that prove them."""
        u, v = found.row_potentials, found.column_potentials
        if self.potentials is not None and u is not None and v is not None:
            self.potentials[0][box.index] = u.reshape(*box.shape, u.shape[-1])
            self.potentials[1][box.index] = v.reshape(*box.shape, v.shape[-1])
        gaps = SparseGaps(self._numbers(box, gaps.tile), gaps.value)
        self._pieces.append(_Piece(box, objective, gaps, bounded, optimal, short, found.counts))

    def _numbers(self, box: Box, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Translate numbers of tiles in a box to numbers in the whole stack."""
        if not tiles.size or box.shape == self.layout.stack_shape:
            return tiles
        _, rows, columns = self.layout.stack_shape
        if box.shape[2] == columns and (box.shape[0] == 1 or box.shape[1] == rows):
            first: int = (box.matrices.start * rows + box.rows.start) * columns
            return tiles + np.int64(first)  # the box is a run of tiles
        local = np.unravel_index(tiles, box.shape)
        shifted = tuple(k + s.start for k, s in zip(local, box.index, strict=True))
        numbers: NDArray[np.int64] = np.ravel_multi_index(shifted, self.layout.stack_shape)
        return numbers

    def verdict(self) -> dict[str, Any]:
        """Give the fields of `Certificate`."""
        pieces = self._pieces
        # The order of the matrix: no sum may depend on the threads.
        if len(pieces) > 1:
            pieces.sort(key=lambda piece: [part.start for part in piece.box.index])
        objective = float(sum([p.objective for p in pieces]))
        gaps = None
        if all(p.bounded for p in pieces):
            gaps = SparseGaps.joined([p.gaps for p in pieces])
        if any(p.short for p in pieces):
            status = Status.UNDERFILLED
        elif all(p.optimal for p in pieces):
            status = Status.OPTIMAL
        else:
            status = Status.FEASIBLE
        u, v = map(self.layout.per_tile, self.potentials) if self.potentials else (None, None)
        return {
            "objective": objective,
            "upper_bound": None if gaps is None else objective + gaps.total,
            "status": status,
            "tiles": TileResults(self.layout, self.scores, self.mask, objective, gaps, u, v),
            "pattern": self.pattern,
            "axes": self.axes,
        }

    def result(self, method: str, seconds: float, compile_seconds: float) -> MaskResult:
        """Put the result together; it took so long."""
        verdict = self.verdict()
        counts: dict[str, float] = {}
        for piece in self._pieces:
            for name, count in piece.counts.items():
                counts[name] = counts.get(name, 0) + count
        stats = {
            "seconds": seconds,
            "compile_seconds": compile_seconds,
            "threads": self.threads,
            "tiles": self.layout.tiles,
            "short_tiles": sum([p.short for p in self._pieces]),
            **counts,
        }
        return MaskResult(**verdict, mask=self.mask, method=method, stats=stats)


def warn_of_kernels(layout: TileLayout) -> None:
    """Say so where the axes look like a convolution's kernel: nothing would be pruned."""
    (h, w), (rows, columns) = layout.tile, layout.matrix_shape
    if len(layout.shape) > 2 and 0 < rows < w and 0 < columns < w and h > 1:
        warnings.warn(
            f"matrices along axes {layout.axes} of shape {layout.shape} are smaller than one "
            f"{h} x {w} tile; for a convolution (out, in, ...) pass axes=(0, 1)",
            stacklevel=3,
        )
