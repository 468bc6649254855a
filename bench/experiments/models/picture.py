"""The experiment's picture: how much of every architecture each way masks."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter

from ...pages.style import FAINT, INK, OTHERS, OURS, bare, legend_beside, per_cent, sheet
from ...pages.words import short_name
from .findings import Run
from .reader import Reader

__all__ = ["shares"]

ROOM = 0.36
"""Half of the height over which the dots of a row are spread, one row being 1 high."""


def shares(reader: Reader) -> Figure | None:
    """Draw the masked share of all parameters, by kind of model and by both ways."""
    if not reader.compared:
        return None
    pattern = reader.patterns[0]
    rows = [kind for kind, _ in Counter(run["kind"] for run in reader.compared).most_common()]
    hint = (
        "one dot for each architecture, made small; lines join what both ways mask of one; the "
        "least masked of each kind is named"
    )
    title = f"Masked share of all parameters, {pattern}"
    with sheet(1, 1, 10, 0.75 * len(rows) + 1.4, title, hint) as (figure, panels):
        axes = panels[0]
        bare(axes, "")
        for y, kind in enumerate(rows):
            _row(axes, y, [run for run in reader.compared if run["kind"] == kind], pattern)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: per_cent(share)))
        axes.set_xlabel("masked share of all parameters")
        for label, style in STYLES.items():
            axes.plot([], [], linestyle="", label=label, **style)  # type: ignore[arg-type]
        legend_beside(axes)
    return figure


STYLES = {
    "by its modules": {"marker": "o", "color": OURS[0], "markersize": 4},
    "by its file": {
        "marker": "o",
        "markerfacecolor": "none",
        "color": OTHERS[0],
        "markersize": 7,
        "markeredgewidth": 0.9,
    },
}


def _row(axes: Axes, y: float, runs: list[Run], pattern: str) -> None:
    runs = sorted(runs, key=lambda run: run["model_type"])
    heights = y + np.linspace(-ROOM, ROOM, len(runs)) if len(runs) > 1 else np.array([float(y)])
    found = [run["outcomes"][pattern] for run in runs]
    module = np.array([one["module_share"] for one in found])
    file = np.array([one["file_share"] for one in found])
    axes.hlines(heights, module, file, color=FAINT, linewidth=0.7)
    for style, values in zip(STYLES.values(), (module, file), strict=True):
        axes.plot(values, heights, linestyle="", **style)  # type: ignore[arg-type]
    least = int(module.argmin())
    axes.annotate(
        short_name(runs[least]["model_type"]),
        (module[least], heights[least]),
        xytext=(0, 6),
        textcoords="offset points",
        size=8,
        color=INK,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )
