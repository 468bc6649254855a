"""The experiment's pictures: error against size, bounds against errors, who loses filters."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...pages.style import FAINT, FINE, INK, bare, decades, heat, legend_beside, per_cent, sheet
from .findings import Reader
from .sizes import SAMPLERS

__all__ = ["bounds", "errors", "kept"]

COLOURS = {
    "deterministic": "#0b4f9e",
    "hybrid": "#2a9d5c",
    "random": "#1690a7",
    "uniform": "#6b7785",
    "magnitude": "#c2410c",
}
BOUNDS = {"published": "#c77700", "proven": "#7b6cc4", "certified": "#0b7a75"}
SHOWN = 0.5
"""The budget nearest to this is shown layer by layer."""


def errors(reader: Reader) -> Figure:
    """Draw held-out error over the share of parameters."""
    title = "Held-out error against size"
    hint = (
        "means over networks and draws; bands: 95 % intervals over networks; "
        "dashed: the whole network"
    )
    with sheet(1, 2, 11, 4.6, title, hint) as (figure, panels):
        parts = (("as pruned", "wrong", "dense"), ("trained on", "tuned", "trained_on"))
        for axes, (title, what, dense) in zip(panels, parts, strict=True):
            bare(axes, title)
            for sampler in SAMPLERS:
                _curve(axes, reader, sampler, what)
            axes.axhline(reader.dense(dense).mean, color=INK, linestyle="--", linewidth=1)
            _per_cent(axes)
            axes.set_xlabel("parameters that stayed")
        panels[1].legend(frameon=False, loc="upper right")
    return figure


def _per_cent(axes: Axes) -> None:
    """Write logarithmic axes in per cent; bands may leave them below."""
    means = [y for line in axes.lines for y in np.asarray(line.get_ydata()) if y > 0]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.7 * min(means), 1)
    for axis in (axes.xaxis, axes.yaxis):
        decades(axis, per_cent, subs=FINE)


def _curve(axes: Axes, reader: Reader, sampler: str, what: str) -> None:
    shares = [reader.mean(sampler, b, "share").mean for b in reader.budgets]
    values = [reader.mean(sampler, b, what) for b in reader.budgets]
    mean, half = np.array([(v.mean, np.nan_to_num(v.half)) for v in values]).T
    colour = COLOURS[sampler]
    axes.plot(shares, mean, color=colour, marker="o", markersize=3.5, label=sampler, zorder=3)
    axes.fill_between(shares, mean - half, mean + half, color=colour, alpha=0.13, linewidth=0)


def bounds(reader: Reader) -> Figure:
    """Draw every layer's errors at a budget, below its bounds."""
    budget = min(reader.budgets, key=lambda b: abs(b - SHOWN))
    samplers = ("deterministic", "hybrid", "random")
    title = f"Every layer's relative error, and its bounds, at {100 * budget:g} %"
    hint = (
        "dots: networks and draws; lines: their largest bound; a layer that lost no "
        "inputs has neither"
    )
    with sheet(1, len(samplers), 11, 5.2, title, hint) as (figure, panels):
        for axes, sampler in zip(panels, samplers, strict=True):
            bare(axes, sampler)
            _layers(axes, reader, sampler, budget)
        for axes in panels[1:]:
            axes.set_yticklabels([])
        low = min(axes.get_xlim()[0] for axes in panels)
        high = max(axes.get_xlim()[1] for axes in panels)
        for axes in panels:
            axes.set_xlim(low, high)
            decades(axes.xaxis, lambda x: f"{x:g}")
        legend_beside(panels[-1])
    return figure


def _layers(axes: Axes, reader: Reader, sampler: str, budget: float) -> None:
    draws = [draw for point in reader.points(sampler, budget) for draw in point["layers"]]
    names = [layer["name"] for layer in draws[0]]
    for y, by_layer in enumerate(zip(*draws, strict=True)):
        seen = [layer["measured"] for layer in by_layer if layer["measured"] > 0]
        label = "measured" if y == 0 else None
        axes.plot(seen, [y] * len(seen), "o", color=INK, markersize=2.5, alpha=0.5, label=label)
        for bound, colour in BOUNDS.items():
            values = [layer[bound] for layer in by_layer if layer[bound]]
            if values:
                axes.plot([max(values)], [y], "|", color=colour, markersize=11, mew=2)
    for bound, colour in BOUNDS.items():
        axes.plot([], [], "|", color=colour, markersize=11, mew=2, label=bound)
    axes.set_xscale("log")
    axes.axvline(1, color=FAINT, linewidth=1)
    axes.set_xlabel("relative error")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def kept(reader: Reader) -> Figure:
    """Draw the share of filters that each group keeps, by budget."""
    hint = "share of a group's filters that stay, by one error for all; mean over networks"
    with sheet(1, 1, 8, 4.4, "Which filters go first", hint) as (figure, panels):
        axes, runs = panels[0], reader.runs("deterministic")
        kept = [[np.divide(p["kept"], run["filters"]) for p in run["points"]] for run in runs]
        shares = np.mean(kept, axis=0)
        image = heat(axes, shares.T, lambda share: f"{100 * share:.0f}")
        axes.set_xticks(range(len(shares)), [f"{100 * b:g} %" for b in reader.budgets])
        names = [", ".join(m) for m in runs[0]["makers"]]
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("budget: share of parameters")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, format=FuncFormatter(lambda v, _: per_cent(v)))
        bar.outline.set_visible(False)
    return figure
