"""A training as its masks saw it: kept share, flips, distance and time over steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.planning.picture import FAINT, GRID, INK, check_drawing
from masksolve.storage.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from masksolve.torch.flips import Flips
    from masksolve.torch.history import History, LayerRecord

__all__ = ["draw"]

LINE = "#1f6cae"
DOTS = 60
"""Up to so many refreshes are marked on the lines."""


class _Curve(NamedTuple):
    """A number of one layer over steps, in per cent."""

    steps: Sequence[int]
    values: Sequence[float]


def draw(history: History, path: str | PathLike[str]) -> None:
    """Draw a history with records to a file that appears whole or not at all."""
    path = Path(path)
    check_drawing(path)
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    # A figure of its own, without pyplot: nothing of the caller's is touched.
    figure = Figure(figsize=(12.0, 7.0), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.04))
    (kept, flips), (distance, time) = figure.subplots(2, 2, sharex=True)
    _draw_layers(kept, _kept(history), hold=True)
    _draw_layers(flips, _flip_rates(history), hold=False)
    _draw_layers(distance, _distances(history), hold=True)
    _draw_line(time, *_milliseconds(history))
    time.set_yscale("log")  # the first refresh may compile
    time.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    time.yaxis.set_major_formatter("{x:g}")
    time.yaxis.set_minor_formatter(NullFormatter())
    _style(kept, "Kept share of the score, %")
    _style(flips, "Flip rate: what changed in a refresh, % of the entries")
    _style(distance, "Distance from the first masks (SAD), % of the entries")
    _style(time, "Time of a refresh, all layers together, ms")
    for axes in (distance, time):
        axes.set_xlabel("optimizer steps", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = kept.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=110, facecolor="white")
    content = buffer.getvalue()
    with whole_file(path, len(content)) as file:
        file.write(content)


def _rows(history: History) -> dict[str, list[tuple[int, LayerRecord]]]:
    """Return each layer's records, with their steps."""
    rows: dict[str, list[tuple[int, LayerRecord]]] = {}
    for record in history.records:
        for name, row in record.layers.items():
            rows.setdefault(name, []).append((record.step, row))
    return rows


def _kept(history: History) -> list[_Curve]:
    return [
        _Curve([step for step, _ in rows], [100 * row.kept_share for _, row in rows])
        for rows in _rows(history).values()
    ]


def _flip_rates(history: History) -> list[_Curve]:
    return [  # the first masks come from none: nothing flips
        _Curve([step for step, _ in rows[1:]], [100 * row.flip_rate for _, row in rows[1:]])
        for rows in _rows(history).values()
    ]


def _distances(history: History) -> list[_Curve]:
    curves = []
    for name, rows in _rows(history).items():
        flips, size = history._flips[name], rows[0][1].size
        curves.append(_Curve(flips.steps, [100 * far / size for far in _from_first(flips)]))
    return curves


def _from_first(flips: Flips) -> list[int]:
    """Return by how much each mask differs from the first, in one pass over all flips."""
    changes = flips._changes
    beyond = 1 + max((int(positions.max()) for positions in changes if positions.size), default=0)
    differs = np.zeros(beyond, dtype=np.bool_)
    found = [0]
    for positions in changes:
        differs[positions] ^= True
        came = int(np.count_nonzero(differs[positions]))
        found.append(found[-1] + 2 * came - positions.size)
    return found


def _milliseconds(history: History) -> tuple[list[int], list[float]]:
    steps = [record.step for record in history.records]
    return steps, [1000 * record.whole.seconds for record in history.records]


def _draw_layers(axes: Axes, curves: Sequence[_Curve], *, hold: bool) -> None:
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


def _aligned(curve: _Curve, steps: Sequence[int], *, hold: bool) -> NDArray[np.float64]:
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


def _style(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, weight="bold", color=INK)
    axes.grid(color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both", labelcolor=FAINT)
    axes.spines[:].set_visible(False)
