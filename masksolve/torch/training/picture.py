"""A training as its masks saw it: kept share, flips, distance and time over steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.drawing import INK, check_drawing, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "Curves", "draw"]

LINE = "#1f6cae"
DOTS = 60
"""Up to so many refreshes are marked on the lines."""


class Curve(NamedTuple):
    """A number of one layer over steps, in per cent."""

    steps: Sequence[int]
    values: Sequence[float]


class Curves(NamedTuple):
    """What a history tells: a curve for each layer, and the time of all together."""

    kept: Sequence[Curve]
    flips: Sequence[Curve]
    distances: Sequence[Curve]
    milliseconds: Curve


def draw(curves: Curves, path: Path) -> None:
    """Draw a history to a file that appears whole or not at all."""
    check_drawing(path)
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    # A figure of its own, without pyplot: nothing of the caller's is touched.
    figure = Figure(figsize=(12.0, 7.0), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.04))
    (kept, flips), (distance, time) = figure.subplots(2, 2, sharex=True)
    _draw_layers(kept, curves.kept, hold=True)
    _draw_layers(flips, curves.flips, hold=False)
    _draw_layers(distance, curves.distances, hold=True)
    _draw_line(time, *curves.milliseconds)
    time.set_yscale("log")  # the first refresh may compile
    time.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    time.yaxis.set_major_formatter("{x:g}")
    time.yaxis.set_minor_formatter(NullFormatter())
    style(kept, "Kept share of the score, %", 11)
    style(flips, "Flip rate: what changed in a refresh, % of the entries", 11)
    style(distance, "Distance from the first masks (SAD), % of the entries", 11)
    style(time, "Time of a refresh, all layers together, ms", 11)
    for axes in (distance, time):
        axes.set_xlabel("optimizer steps", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = kept.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK
    )
    save(figure, path)


def _draw_layers(axes: Axes, curves: Sequence[Curve], *, hold: bool) -> None:
    """Draw the median of the layers, and the range they fill.

    Parameters
    ----------
    hold : bool
        A layer keeps its value until its next refresh; else it counts only where it has one.
    """
    steps = sorted({step for curve in curves for step in curve.steps})
    if not steps:
        return
    values = np.array([_aligned(curve, steps, hold=hold) for curve in curves])
    low, middle, high = np.nanmin(values, 0), np.nanmedian(values, 0), np.nanmax(values, 0)
    axes.fill_between(
        steps, low, high, color=LINE, alpha=0.18, linewidth=0, label="range of the layers"
    )
    _draw_line(axes, steps, middle, label="median of the layers")


def _aligned(curve: Curve, steps: Sequence[int], *, hold: bool) -> NDArray[np.float64]:
    """Return a curve's values at some steps, NaN where it has none."""
    own = np.asarray(curve.steps)
    place = np.searchsorted(own, steps, side="right") - 1  # of several at a step the last
    known = place >= 0
    if not hold:
        known &= own[place] == steps if own.size else False
    found = np.full(len(steps), np.nan)
    found[known] = np.asarray(curve.values)[place[known]]
    return found


def _draw_line(
    axes: Axes,
    steps: Sequence[int],
    values: Sequence[float] | NDArray[np.float64],
    label: str | None = None,
) -> None:
    marker = "o" if len(steps) <= DOTS else ""
    axes.plot(steps, values, marker=marker, markersize=3, linewidth=1.3, color=LINE, label=label)
