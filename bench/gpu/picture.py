"""Time against loss on a device, and times beside those of a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..pages.style import FAINT, FINE, INK, bare, decades, sheet

__all__ = ["draw_copies", "draw_methods"]

COLOURS = {"exact": "#0b4f9e", "greedy": "#0b7a75", "two_approx": "#7b6cc4", "entropic": "#c2410c"}
KINDS = {"float32": "o", "bf16 grid": "s", "int8 grid": "D"}

Rows = Sequence[Mapping[str, Any]]


def draw_methods(found: Mapping[str, Any]) -> Figure:
    """Draw a panel a pattern: milliseconds against the loss of float32 weights."""
    rows = [row for row in found["rivals"] if row["weights"] == "float32" and not row["failed"]]
    patterns = list(dict.fromkeys(row["pattern"] for row in rows)) or ["-"]
    wide = min(2, len(patterns))
    high = -(-len(patterns) // wide)
    title = f"What a mask costs on {found['device']['name']}, and what it loses"
    hint = "lower left is better; the line: more and more rounds" + _warning(found)
    with sheet(high, wide, 5.2 * wide, 3.4 * high + 0.8, title, hint) as (figure, grid):
        for axes, pattern in zip(grid, patterns, strict=False):
            _methods(axes, pattern, [row for row in rows if row["pattern"] == pattern])
        for axes in grid[len(patterns) :]:
            axes.set_visible(False)
    return figure


def _methods(axes: Axes, pattern: str, rows: Rows) -> None:
    bare(axes, pattern)
    axes.set_xscale("log")
    decades(axes.xaxis, "{:g}".format, subs=FINE)
    axes.set_xlabel("ms (log)")
    axes.set_ylabel("% below the optimum")
    curve = [row for row in rows if row["method"].startswith("entropic")]
    times, losses = [1e3 * row["seconds"] for row in curve], [100 * row["loss"] for row in curve]
    axes.plot(times, losses, color=COLOURS["entropic"], linewidth=1)
    for row in rows:
        family, _, detail = row["method"].partition(", ")
        x, y = 1e3 * row["seconds"], max(0.0, 100 * row["loss"])
        axes.plot([x], [y], "o", color=COLOURS[family], ms=4 if detail else 7)
        if not detail:
            beside = (6, -13 if family == "exact" else 6)
            look: dict[str, Any] = {"color": COLOURS[family], "weight": "bold"}
            axes.annotate(family, (x, y), beside, textcoords="offset points", **look)
    axes.margins(0.2)


def draw_copies(found: Mapping[str, Any]) -> Figure:
    """Draw the exact solver's times as multiples of a copy of the weights."""
    side = max((row["side"] for row in found["exact"]), default=0)
    rows = [row for row in found["exact"] if row["side"] == side and not row["failed"]]
    patterns = list(dict.fromkeys(row["pattern"] for row in rows))
    title = f"Exact masks on {found['device']['name']}, {side} x {side}"
    hint = "milliseconds; the line: a copy of float32 weights in the same run" + _warning(found)
    with sheet(1, 1, 7.6, 4.2, title, hint) as (figure, (axes,)):
        bare(axes, "")
        axes.set_yscale("log")
        decades(axes.yaxis, "{:g}".format, subs=FINE)
        for kind, marker in KINDS.items():
            mine = [row for row in rows if row["weights"] == kind]
            places = [patterns.index(row["pattern"]) for row in mine]
            times = [1e3 * row["seconds"] for row in mine]
            face = INK if kind == "float32" else "white"
            axes.plot(places, times, marker, label=kind, color=INK, mfc=face)
        copies = [1e3 * row["copy_seconds"] for row in rows if row["weights"] == "float32"]
        if copies:
            axes.axhline(sum(copies) / len(copies), color=FAINT, linewidth=1)
        axes.set_xticks(range(len(patterns)), patterns)
        axes.set_ylabel("ms (log)")
        axes.legend(frameon=False)
    return figure


def _warning(found: Mapping[str, Any]) -> str:
    return "" if found["gpu"] else "; NOT a GPU: no time here says anything about one"
