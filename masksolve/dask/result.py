"""What solving a dask array gives: a mask block by block, and figures of all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from masksolve.pattern import Pattern
from masksolve.result import MaskResult, Status

__all__ = ["Block", "ComputedMask", "DaskResult", "Figures"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of some blocks' masks together: no tuple, which dask would open."""

    objective: float
    gap: float
    status: Status
    stats: Mapping[str, Any]

    @classmethod
    def of(cls, result: MaskResult) -> Figures:
        """Take them from a block's result; a gap of NaN says that nothing was proven."""
        gap = float("nan") if result.gap is None else result.gap
        return cls(result.objective, gap, result.status, result.stats)

    @classmethod
    def of_block(cls, block: Any, axis: Any = None, keepdims: bool = True) -> Figures:
        """Take them from a solved block, as a reduction's first step."""
        found: Figures = block.figures
        return found

    @classmethod
    def together(cls, parts: Any, axis: Any = None, keepdims: bool = True) -> Figures:
        """Add up those of several blocks, as a reduction's other steps."""
        found = list(_flat(parts))
        stats: Counter[str] = Counter()
        for part in found:
            stats.update(part.stats)
        return cls(
            sum(part.objective for part in found),
            sum(part.gap for part in found),
            Status.worst(part.status for part in found),
            {**stats, "threads": max(part.stats["threads"] for part in found)},
        )


def _flat(parts: Any) -> Iterator[Figures]:
    """Walk through the nested lists in which dask hands out neighbouring blocks."""
    if isinstance(parts, Figures):
        yield parts
    else:
        for part in parts:
            yield from _flat(part)


class Block(NamedTuple):
    """A solved block, on its way from task to task."""

    mask: NDArray[np.bool_]
    figures: Figures

    @staticmethod
    def mask_of(block: Any) -> NDArray[np.bool_]:
        """Return its mask."""
        found: NDArray[np.bool_] = block.mask
        return found


@dataclass(frozen=True, eq=False, repr=False)
class ComputedMask:
    """A mask that was computed by dask, and what is known of it.

    `MaskResult` without what is known per tile.

    Attributes
    ----------
    mask : ndarray of bool
        Shape of the weights, True = kept.
    objective : float
        Its kept score.
    upper_bound, gap : float or None
        A proven bound on any mask's score, and how far above the objective it lies; None
        where nothing was proven.
    status : Status
    pattern : Pattern
    axes : tuple of int
        The (output, input) axes of the matrix, counted from 0.
    method : str
    stats : Mapping
        As in `MaskResult`, added up over the blocks: ``seconds`` are those of all threads.
    """

    mask: NDArray[np.bool_]
    objective: float
    upper_bound: float | None
    gap: float | None
    status: Status
    pattern: Pattern
    axes: tuple[int, int]
    method: str
    stats: Mapping[str, Any]

    __repr__ = MaskResult.__repr__


@dataclass(frozen=True, eq=False, repr=False)
class DaskResult:
    """A mask still to be computed, and what will be known of it.

    Attributes are dask arrays. Those that are computed in one go, by `compute` or
    ``dask.compute(result.mask, result.objective)``, share the work; each by itself
    solves again.

    Attributes
    ----------
    mask : dask Array of bool
        Shape and chunks of the weights, True = kept.
    pattern : Pattern
    axes : tuple of int
        The (output, input) axes of the matrix, counted from 0.
    method : str
    """

    mask: da.Array
    pattern: Pattern
    axes: tuple[int, int]
    method: str
    _figures: da.Array = field(repr=False)
    _bounded: bool = field(repr=False)

    @classmethod
    def of(
        cls,
        mask: da.Array,
        blocks: da.Array,
        pattern: Pattern,
        axes: tuple[int, int],
        method: str,
        *,
        bounded: bool,
    ) -> DaskResult:
        """Make it from solved blocks, whose figures a tree of tasks adds up."""
        figures = da.reduction(
            blocks,
            Figures.of_block,
            Figures.together,
            concatenate=False,
            dtype=object,
            meta=np.empty((), dtype=object),
            name="masksolve-figures",
        )
        return cls(mask, pattern, axes, method, figures, bounded)

    def __repr__(self) -> str:
        return f"DaskResult({self.pattern}, {self.method}, {self.mask!r})"

    @cached_property
    def objective(self) -> da.Array:
        """Kept score of the mask: a dask array without axes."""
        return self._figure("objective", np.float64)

    @cached_property
    def gap(self) -> da.Array | None:
        """``upper_bound - objective``; None, now already, without a bound."""
        return self._figure("gap", np.float64) if self._bounded else None

    @cached_property
    def upper_bound(self) -> da.Array | None:
        """Proven bound on the score of any mask; None, now already, for a heuristic."""
        return None if self.gap is None else self.objective + self.gap

    @cached_property
    def status(self) -> da.Array:
        """A `Status`, once computed."""
        return self._figure("status", object)

    @cached_property
    def stats(self) -> da.Array:
        """What `MaskResult.stats` has, added up over the blocks, once computed."""
        return self._figure("stats", object)

    def _figure(self, name: str, dtype: Any) -> da.Array:
        meta = np.empty((), dtype=dtype)
        return da.map_blocks(_one_of, self._figures, meta=meta, what=name, kind=dtype)

    def compute(self, **options: Any) -> ComputedMask:
        """Solve, and hold the whole mask in memory.

        Parameters
        ----------
        **options
            For `dask.compute`, such as ``scheduler="threads"``.

        Returns
        -------
        ComputedMask
        """
        mask, figures = dask.compute(self.mask, self._figures, **options)
        gap = figures.gap if self._bounded else None
        bound = None if gap is None else figures.objective + gap
        known = (self.pattern, self.axes, self.method, figures.stats)
        return ComputedMask(mask, figures.objective, bound, gap, figures.status, *known)

    def persist(self, **options: Any) -> DaskResult:
        """Solve, and leave the blocks where they were solved, in the cluster's memory.

        Parameters
        ----------
        **options
            For `dask.persist`.

        Returns
        -------
        DaskResult
            The same, of which nothing needs to be solved again.
        """
        mask, figures = dask.persist(self.mask, self._figures, **options)
        return DaskResult(mask, self.pattern, self.axes, self.method, figures, self._bounded)


def _one_of(figures: Figures, what: str, kind: Any) -> Any:
    found = getattr(figures, what)
    return found if kind is object else kind(found)
