"""A logarithmic axis of losses that is honest about none and about less than none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from matplotlib.axes import Axes

from ..pages.style import GRID, INK, WASH
from ..pages.words import TOLERANCE, percent

__all__ = ["Lanes"]

FLOOR = 1e-5
"""Losses that are smaller, but not none, are drawn here: at 0.001 %."""


class Lanes:
    """Where losses lie: decades of per cent, beneath them a lane for 0, beneath it one for < 0.

    Attributes
    ----------
    low, high : float
        The ends of the axis, for the drawn losses.
    zero, below : float
        The middle of the lane of 0 and of the lane of losses below 0.
    """

    def __init__(self, losses: Iterable[float], width: float = 1.0) -> None:
        found = list(losses)
        some = [max(loss, FLOOR) for loss in found if loss > TOLERANCE]
        self.bottom = math.floor(math.log10(min(some, default=1e-3)))
        self.top = max(math.log10(max(some, default=1e-2)) + 0.15, self.bottom + 1.0)
        self.width = width
        self.zero = self.bottom - width / 2
        self.below = self.bottom - 1.25 * width
        self.negative = any(loss < -TOLERANCE for loss in found)
        self.low = self.bottom - (1.5 * width if self.negative else width)
        self.high = self.top

    def __call__(self, loss: float) -> float:
        """Place a loss."""
        if loss < -TOLERANCE:
            return self.below
        if loss <= TOLERANCE:
            return self.zero
        return math.log10(max(loss, FLOOR))

    def _ticks(self, step: int) -> tuple[list[float], list[str]]:
        decades = range(self.bottom + step - 1, math.ceil(self.top), step)
        at = [(float(k), percent(10.0**k)) for k in decades]
        lanes = [(self.zero, "0"), *([(self.below, "< 0")] if self.negative else [])]
        places, texts = zip(*lanes, *at, strict=True)
        return list(places), list(texts)

    def vertical(self, axes: Axes) -> None:
        """Make it the y axis."""
        axes.set_ylim(self.low, self.high)
        axes.set_yticks(*self._ticks(1))
        self._draw(axes.axhspan, axes.axhline)

    def horizontal(self, axes: Axes) -> None:
        """Make it the x axis."""
        axes.set_xlim(self.low, self.high)
        axes.set_xticks(*self._ticks(2))
        self._draw(axes.axvspan, axes.axvline)

    def _draw(self, span: Callable[..., object], line: Callable[..., object]) -> None:
        span(self.low, self.bottom, color=WASH, zorder=0)
        line(self.bottom, color=INK, linewidth=0.8)
        if self.negative:
            line(self.bottom - self.width, color=GRID, linewidth=0.8)
