"""The experiment's pictures: cosines and rankings by pattern, masks, and layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...pages.style import FAINT, FINE, INK, bare, decades, legend_beside, per_cent, sheet
from .findings import Reader
from .sizes import ABSORBED, ADAPRUNE, MAIN, ONE_SHOT, RENEWED, Arm
from .tables import KINDS, THREE, kind

__all__ = ["fidelity", "layers", "masks"]

COLOURS = {ONE_SHOT: "#c2410c", ABSORBED: "#c77700", ADAPRUNE: "#0b4f9e", RENEWED: "#0b7a75"}
SHAPES = {ONE_SHOT: "o", ABSORBED: "s", ADAPRUNE: "D", RENEWED: "^"}


def fidelity(reader: Reader) -> Figure:
    """Draw cosines and rankings by pattern, transposable and plain."""
    title = "What pruning half of the weights leaves of the embeddings"
    hint = (
        "1 is the dense encoder; filled and solid: transposable, hollow and dashed: "
        "plain; means over seeds, bars: 95 % intervals"
    )
    with sheet(1, 2, 11, 4.6, title, hint) as (figure, panels):
        shown = (
            ("cosine to the dense embedding", "cosine"),
            ("10 nearest that stay among them", "nearest"),
        )
        for axes, (title, what) in zip(panels, shown, strict=True):
            bare(axes, title)
            for name in THREE:
                for plain in (False, True):
                    _line(axes, reader, name, what, plain=plain)
            _line(axes, reader, RENEWED, what, plain=False)
            axes.set_xticks(range(len(reader.patterns)), reader.patterns)
            axes.set_xlim(-0.35, len(reader.patterns) - 0.65)
            axes.axhline(1, color=INK, linewidth=1)
        legend_beside(panels[1])
    return figure


def _line(axes: Axes, reader: Reader, name: str, what: str, *, plain: bool) -> None:
    values = [
        reader.mean(Arm(name, f"{pattern},plain" if plain else pattern), what)
        for pattern in reader.patterns
    ]
    colour, places = COLOURS[name], np.arange(len(values)) + (0.06 if plain else -0.06)
    means, halves = [v.mean for v in values], np.nan_to_num([v.half for v in values])
    look: dict[str, Any] = {"linewidth": 1.4, "elinewidth": 1.2, "markersize": 5.5, "zorder": 3}
    look |= {"color": colour, "marker": SHAPES[name], "label": name}
    if plain:
        look |= {"mfc": "white", "linestyle": (0, (4, 2)), "label": None}
    axes.errorbar(places, means, halves, **look)


def masks(reader: Reader) -> Figure:
    """Draw by how much exact masks are better than greedy ones."""
    title = "Loss that exact masks avoid, of the loss with greedy ones"
    hint = (
        "transposable; for the same sentences, means over seeds; lines: 95 % "
        "intervals; above 0 exact is better"
    )
    with sheet(1, 2, 11, 4.0, title, hint) as (figure, panels):
        shown = (("1 less the cosine", "cosine"), ("10 nearest that do not stay", "nearest"))
        for axes, (title, what) in zip(panels, shown, strict=True):
            bare(axes, title)
            _bars(axes, reader, what)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: per_cent(v)))
            axes.axhline(0, color=INK, linewidth=1)
            axes.set_xticks(range(len(reader.patterns)), reader.patterns)
        legend_beside(panels[1])
    return figure


def _bars(axes: Axes, reader: Reader, what: str) -> None:
    for k, name in enumerate((ONE_SHOT, ADAPRUNE)):
        found = [
            reader.avoided(Arm(name, pattern), Arm(name, pattern, "greedy"), what)
            for pattern in reader.patterns
        ]
        axes.bar(
            np.arange(len(found)) + 0.34 * (k - 0.5),
            [one.mean for one in found],
            0.32,
            yerr=np.nan_to_num([one.half for one in found]),
            color=COLOURS[name],
            error_kw={"ecolor": INK, "elinewidth": 1.1},
            label=name,
        )


def layers(reader: Reader) -> Figure:
    """Draw every layer's error on the calibration batches."""
    pattern = MAIN if MAIN in reader.patterns else reader.patterns[0]
    found = reader.layers(pattern)
    title = f"Error of every layer by itself, transposable {pattern}"
    hint = (
        "squared error of a layer's outputs over their square, on calibration; dots: "
        "the encoder's blocks; mean over seeds"
    )
    with sheet(1, 1, 8.5, 4.8, title, hint) as (figure, panels):
        axes = panels[0]
        bare(axes, "")
        words = list(KINDS.values())
        for k, name in enumerate(THREE):
            _dots(axes, found, k, name)
        axes.set_xscale("log")
        decades(axes.xaxis, per_cent, subs=FINE)
        axes.set_yticks(range(len(words)), words)
        axes.set_ylim(len(words) - 0.5, -0.5)
        legend_beside(axes)
    return figure


def _dots(axes: Axes, found: dict[str, list[float]], k: int, name: str) -> None:
    words = list(KINDS.values())
    pairs = [(errors[k], words.index(kind(layer))) for layer, errors in found.items()]
    errors, places = zip(*pairs, strict=True)
    axes.plot(
        errors,
        np.array(places) + 0.18 * (k - 1),
        linestyle="",
        color=COLOURS[name],
        marker=SHAPES[name],
        markersize=4.5,
        alpha=0.75,
        markeredgecolor=FAINT,
        mew=0.3,
        label=name,
    )
