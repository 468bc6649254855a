"""The experiment's pictures: learning curves, flips, and every arm against dense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ...pages.style import FAINT, FINE, INK, bare, decades, legend_beside, per_cent, sheet
from ..shared.estimates import half_interval
from .arms import DENSE, ESTIMATORS, EVERY, METHODS, PATTERNS, PLAIN, Arm
from .findings import Reader
from .questions import written

__all__ = ["curves", "differences", "flips"]

PATTERN_COLOURS = {PLAIN: "#6b7785", "2:4": "#c2410c", "4:8": "#1f6cae", "8:16": "#2a9d5c"}
METHOD_COLOURS = {"exact": "#0b4f9e", "greedy": "#c77700", "two_approx": "#b0208a"}
OFTEN, SELDOM = EVERY


@dataclass(frozen=True)
class Line:
    """An arm as it is drawn."""

    arm: Arm
    colour: str
    text: str
    dashes: Literal["-", "--", ":"] = "-"


def curves(reader: Reader) -> Figure:
    """Draw held-out loss over steps: as it is, less dense, and what exactness gains."""
    rows: list[tuple[str, Sequence[Line], Callable[[Line], str | None]]] = [
        ("held-out loss", [Line(DENSE, INK, "dense"), *_by_pattern()], lambda line: None),
        ("less dense", _by_pattern(), lambda line: DENSE.label),
        (
            "4:8, every step,\nless exact",
            _by_method("4:8", OFTEN)[1:],
            lambda line: Arm("4:8").label,
        ),
        (
            "4:8, every 40,\nless exact",
            _by_method("4:8", SELDOM)[1:],
            lambda line: Arm("4:8", every=SELDOM).label,
        ),
    ]
    with _sheet(
        reader,
        len(rows),
        "Learning curves",
        "masks by STE; rows 1 and 2: exact, renewed at every step; bands: 95 % intervals "
        "over seeds, paired in rows 2 to 4",
    ) as (figure, grid):
        for (name, lines, base), panels in zip(rows, grid, strict=True):
            for axes, task in zip(panels, reader.tasks, strict=True):
                for line in lines:
                    _curve(axes, reader, task, line, "loss", base(line))
                if base(lines[0]) is None:
                    _logarithmic(axes)
                else:
                    _zoom(axes)
            panels[0].set_ylabel(name)
            _legend(panels[-1], lines)
    return figure


def flips(reader: Reader) -> Figure:
    """Draw how many entries flip in a renewal, and how far masks move in 40 steps."""
    at_every_step = _by_method("4:8", OFTEN)
    refined = Line(Arm("4:8", estimator="sr_ste"), METHOD_COLOURS["exact"], "exact, SR-STE", ":")
    seldom = Line(Arm("4:8", every=SELDOM), METHOD_COLOURS["exact"], "exact, every 40", "--")
    rows = [
        ("flips in a renewal,\nevery step", "flips", _by_pattern()),
        ("4:8: flips in a\nrenewal, every step", "flips", [*at_every_step, refined]),
        ("4:8: moved in\n40 steps", "moved", [*at_every_step, refined, seldom]),
    ]
    with _sheet(
        reader,
        len(rows),
        "How the masks move",
        "share of the masks' entries; STE, but where it says SR-STE; moved: entries that "
        "differ from 40 steps before; bands: 95 % intervals over seeds",
    ) as (figure, grid):
        for (name, what, lines), panels in zip(rows, grid, strict=True):
            for axes, task in zip(panels, reader.tasks, strict=True):
                for line in lines:
                    _curve(axes, reader, task, line, what, None)
                axes.set_ylim(bottom=0)
                axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: per_cent(y)))
                axes.yaxis.set_major_locator(MaxNLocator(5))
            panels[0].set_ylabel(name)
            _legend(panels[-1], lines)
    return figure


def differences(reader: Reader) -> Figure:
    """Draw the final loss of every arm less that of dense networks."""
    arms = list(_ladder())
    with sheet(
        1,
        len(reader.tasks),
        11,
        8.6,
        "Every arm: held-out loss less that of dense networks",
        "paired by seed, 95 % intervals; filled: STE, hollow: SR-STE",
        left=0.01,
        bottom=0.03,
    ) as (figure, grid):
        for axes, task in zip(grid, reader.tasks, strict=True):
            bare(axes, task)
            values = [
                reader.difference(task, [(arm.label, DENSE.label)], "loss") for _, arm in arms
            ]
            for (y, arm), value in zip(arms, values, strict=True):
                colour = METHOD_COLOURS[arm.method]
                axes.errorbar(
                    value.mean,
                    y,
                    xerr=None if np.isnan(value.half) else value.half,
                    color=colour,
                    marker="o" if arm.every == OFTEN else "s",
                    markersize=5,
                    markerfacecolor=colour if arm.estimator == "ste" else "white",
                    elinewidth=1,
                    zorder=3,
                )
            axes.axvline(0, color=FAINT, linewidth=1)
            axes.set_ylim(len(RUNGS) - 0.5, -0.5)
            axes.set_yticks([])
        for y, (pattern, method) in enumerate(RUNGS):
            grid[0].text(
                -0.02,
                y,
                f"{written(pattern)}, {method}",
                ha="right",
                va="center",
                color=INK,
                transform=grid[0].get_yaxis_transform(),
            )
        marks = [Line2D([], [], color=METHOD_COLOURS[m], lw=3, label=m) for m in METHODS]
        marks += [_mark("o", INK, "every step"), _mark("s", INK, "every 40")]
        figure.legend(handles=marks, loc="lower center", ncols=len(marks), frameon=False)
    return figure


RUNGS = ((PLAIN, METHODS[0]), *product(PATTERNS, METHODS))
"""Patterns and methods, from the top."""


def _ladder() -> Iterator[tuple[float, Arm]]:
    """Yield every arm with its height: four beside each other on a rung."""
    for y, rung in enumerate(RUNGS):
        for k, (every, estimator) in enumerate(product(EVERY, ESTIMATORS)):
            yield y + (k - 1.5) / 5, Arm(*rung, estimator, every)


def _by_pattern() -> list[Line]:
    return [
        Line(Arm(p), colour, written(p) if p == PLAIN else f"{p} transposable")
        for p, colour in PATTERN_COLOURS.items()
    ]


def _by_method(pattern: str, every: int) -> list[Line]:
    return [Line(Arm(pattern, m, every=every), METHOD_COLOURS[m], m) for m in METHODS]


@contextmanager
def _sheet(
    reader: Reader, rows: int, title: str, hint: str
) -> Iterator[tuple[Figure, list[list[Axes]]]]:
    """Give rows of panels, one for each task, over steps."""
    tasks = reader.tasks
    height = 2.3 * rows + 0.8
    with sheet(rows, len(tasks), 11, height, title, hint, w_pad=1.2) as (figure, grid):
        panels = [grid[k : k + len(tasks)] for k in range(0, len(grid), len(tasks))]
        for k, row in enumerate(panels):
            for axes, task in zip(row, tasks, strict=True):
                bare(axes, "" if k else task)
        for axes in panels[-1]:
            axes.set_xlabel("steps")
        yield figure, panels


def _curve(axes: Axes, reader: Reader, task: str, line: Line, what: str, base: str | None) -> None:
    """Draw a mean over seeds with its band; less a base, if there is one."""
    values = reader.curve(task, line.arm.label, what)
    if base is not None and values.size:
        values = values - reader.curve(task, base, what)
    if not values.size:
        return
    steps = reader.settings(task)["check"] * np.arange(1, values.shape[1] + 1)
    mean, half = values.mean(axis=0), np.nan_to_num(half_interval(values))
    axes.plot(steps, mean, color=line.colour, linestyle=line.dashes, linewidth=1.5, zorder=3)
    axes.fill_between(steps, mean - half, mean + half, color=line.colour, alpha=0.13, lw=0)


def _logarithmic(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.set_yscale("log")
    decades(axes.yaxis, "{:g}".format, subs=FINE)
    if low > 0 and high <= 4 * low:
        axes.yaxis.set_major_locator(MaxNLocator(5))


def _zoom(axes: Axes) -> None:
    """Show what lies around zero in the later part; in the first steps all is noise."""
    axes.axhline(0, color=FAINT, linewidth=1, gid="zero")
    lines = [np.asarray(line.get_ydata()) for line in axes.lines if line.get_gid() != "zero"]
    reach = max((float(np.abs(y[len(y) // 2 :]).max()) for y in lines if y.size), default=0)
    if reach:
        axes.set_ylim(-1.6 * reach, 1.6 * reach)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _legend(axes: Axes, lines: Sequence[Line]) -> None:
    handles = [
        Line2D([], [], color=line.colour, linestyle=line.dashes, label=line.text) for line in lines
    ]
    legend_beside(axes, handles=handles)


def _mark(shape: str, colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=shape, color=colour, label=label, markersize=5)
