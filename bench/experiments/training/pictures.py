"""The experiment's pictures: learning curves, flips, and every arm against dense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

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


Panels = tuple[str, str, Sequence[Line], Arm | None]
"""A row: its name, what is drawn, of whom, and what of whom is taken off."""


def curves(reader: Reader) -> Figure:
    """Draw held-out loss over steps: as it is, less dense, and what exactness gains."""
    often, seldom = (_by_method("4:8", every)[1:] for every in EVERY)
    rows: list[Panels] = [
        ("held-out loss", "loss", [Line(DENSE, INK, "dense"), *_by_pattern()], None),
        ("less dense", "loss", _by_pattern(), DENSE),
        ("4:8, every step,\nless exact", "loss", often, Arm("4:8")),
        ("4:8, every 40,\nless exact", "loss", seldom, Arm("4:8", every=SELDOM)),
    ]
    hint = (
        "masks by STE; rows 1 and 2: exact, renewed at every step; bands: 95 % intervals "
        "over seeds, paired in rows 2 to 4"
    )
    return _over_steps(reader, rows, "Learning curves", hint)


def flips(reader: Reader) -> Figure:
    """Draw how many entries flip in a renewal, and how far masks move in 40 steps."""
    at_every_step = _by_method("4:8", OFTEN)
    refined = Line(Arm("4:8", estimator="sr_ste"), METHOD_COLOURS["exact"], "exact, SR-STE", ":")
    seldom = Line(Arm("4:8", every=SELDOM), METHOD_COLOURS["exact"], "exact, every 40", "--")
    rows: list[Panels] = [
        ("flips in a renewal,\nevery step", "flips", _by_pattern(), None),
        ("4:8: flips in a\nrenewal, every step", "flips", [*at_every_step, refined], None),
        ("4:8: moved in\n40 steps", "moved", [*at_every_step, refined, seldom], None),
    ]
    hint = (
        "share of the masks' entries; STE, but where it says SR-STE; moved: entries that "
        "differ from 40 steps before; bands: 95 % intervals over seeds"
    )
    return _over_steps(reader, rows, "How the masks move", hint)


def differences(reader: Reader) -> Figure:
    """Draw the final loss of every arm less that of dense networks."""
    arms = list(_ladder())
    title = "Every arm: held-out loss less that of dense networks"
    hint = "paired by seed, 95 % intervals; filled: STE, hollow: SR-STE"
    size = (1, len(reader.tasks), 11, 8.6)
    with sheet(*size, title, hint, left=0.01, bottom=0.03) as (figure, grid):
        for axes, task in zip(grid, reader.tasks, strict=True):
            bare(axes, task)
            for y, arm in arms:
                value = reader.difference(task, [(arm.label, DENSE.label)], "loss")
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
            where: dict[str, Any] = {
                "ha": "right",
                "va": "center",
                "transform": grid[0].get_yaxis_transform(),
            }
            grid[0].text(-0.02, y, f"{written(pattern)}, {method}", color=INK, **where)
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


def _over_steps(reader: Reader, rows: Sequence[Panels], title: str, hint: str) -> Figure:
    """Draw rows of panels, one for each task, over steps."""
    tasks = reader.tasks
    height = 2.3 * len(rows) + 0.8
    with sheet(len(rows), len(tasks), 11, height, title, hint, w_pad=1.2) as (figure, grid):
        for axes, (row, task) in zip(grid, product(rows, tasks), strict=True):
            name, what, lines, base = row
            bare(axes, task if row is rows[0] else "")
            for line in lines:
                _curve(axes, reader, task, line, what, base)
            if what != "loss":
                _shares(axes)
            elif base is None:
                _logarithmic(axes)
            else:
                _zoom(axes)
            if row is rows[-1]:
                axes.set_xlabel("steps")
            if task == tasks[0]:
                axes.set_ylabel(name)
            if task == tasks[-1]:
                _legend(axes, lines)
    return figure


def _shares(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: per_cent(y)))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _curve(axes: Axes, reader: Reader, task: str, line: Line, what: str, base: Arm | None) -> None:
    """Draw a mean over seeds with its band; less a base, if there is one."""
    values = reader.curve(task, line.arm.label, what)
    if base is not None and values.size:
        values = values - reader.curve(task, base.label, what)
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
