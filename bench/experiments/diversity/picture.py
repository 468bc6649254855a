"""The diversity experiment's picture: every quality against the exact and the paper's bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from ...pages.style import FAINT, GRID, INK, save, styled
from .constraints import DENSE
from .findings import Findings, Values, draws, groups, mean_and_half
from .ranks import spearman

__all__ = ["draw"]

PALETTE = (128, Image.Quantize.MEDIANCUT)
COLOURS = {"50%": "#1f6cae", "25%": "#c2410c", "75%": "#2a9d5c"}
SHAPES = {"plain": "o", "T": "s", "any": "*"}
KINDS = {"plain": "plain", "T": "transposable", "any": "unstructured"}
MEASURES = {"exact": "exact count", "paper": "the paper's formula"}
LABELLED = "50%"
PAIR = ("2:4 plain", "4:8 T")  # which of them is the more diverse depends on who counts
ROWS = (
    ("kept, encoder", LABELLED, "kept score, %"),
    ("pruned", LABELLED, "masked after training"),
    ("renewed", LABELLED, "masks renewed in training"),
    ("kept, encoder", "all", "kept score, %"),
    ("renewed", "all", "masks renewed in training"),
)


@styled(**{"font.size": 9.5})
def draw(found: Findings, path: Path) -> None:
    """Draw a row of panels for each quality, and save them as PNG."""
    figure = Figure(figsize=(9, 13.2), dpi=150, facecolor="white", layout="constrained")
    axes = figure.subplots(len(ROWS), 2, sharex="col", sharey="row")
    for row, (quality, group, name) in zip(axes, ROWS, strict=True):
        for ax, by in zip(row, MEASURES, strict=True):
            _panel(ax, found, quality, group, by)
        which = "all densities" if group == "all" else f"density {group}"
        accuracy = "" if quality.startswith("kept") else "accuracy against dense,\npoints; "
        row[0].set_ylabel(f"{accuracy}{name}\n({which})", color=INK)
    for ax, by in zip(axes[0], MEASURES, strict=True):
        ax.set_title(f"by {MEASURES[by]}", loc="left", weight="bold", fontsize=11.5, color=INK)
    for ax, by in zip(axes[-1], MEASURES, strict=True):
        ax.set_xlabel(f"bits per weight, {MEASURES[by]}", color=INK)
    handles = [_mark(SHAPES[kind], INK, KINDS[kind]) for kind in SHAPES]
    handles += [_mark("o", colour, f"density {group}") for group, colour in COLOURS.items()]
    narrow: dict[str, Any] = {"handletextpad": 0.1, "columnspacing": 1.4}
    figure.legend(handles=handles, loc="outside upper left", ncols=6, frameon=False, **narrow)
    save(figure, path, PALETTE)


def _panel(ax: Axes, found: Findings, quality: str, group: str, by: str) -> None:
    labels = groups(found)[group]
    bits: Values = np.array([found[by][label] for label in labels])  # type: ignore[literal-required]
    relative = DENSE.label in found["qualities"][quality]
    values = 100 * draws(found, quality, labels)
    if relative:  # paired: the seeds' own level, the same for all, is no part of the interval
        values = values - 100 * draws(found, quality, [DENSE.label])
    for label, x, ys in zip(labels, bits, values, strict=True):
        mean, half = mean_and_half(ys)
        colour = COLOURS[f"{found['density'][label]:.0%}"]
        kind = label.split()[0] if label.startswith("any") else label.split()[1]
        size, bar = 10 if kind == "any" else 6, half if relative else None
        look: dict[str, Any] = {"color": colour, "marker": SHAPES[kind], "markersize": size}
        ax.errorbar(x, mean, bar, elinewidth=1.1, zorder=3, **look)
        if group == LABELLED and kind != "any":
            away, side = (1, "left") if kind == "plain" else (-1, "right")
            end, beside = mean + away * (bar or 0), (2 * away, 7 * away)
            place: dict[str, Any] = {"ha": side, "va": "center_baseline", "rotation": 62}
            place |= {"textcoords": "offset points", "rotation_mode": "anchor"}
            weight = "bold" if label in PAIR else None
            name = label.split()[0]
            ax.annotate(name, (x, end), beside, fontsize=9, color=INK, weight=weight, **place)
    rho = spearman(bits, draws(found, quality, labels))
    said = f"Spearman {rho.value:.2f}"
    ax.text(0.02, 0.96, said, transform=ax.transAxes, va="top", weight="bold", color=INK)
    ax.margins(0.1, 0.3 if group == LABELLED else 0.16)
    ax.grid(color=GRID)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelcolor=FAINT)
    ax.spines[:].set_visible(False)


def _mark(shape: str, colour: str, label: str) -> Line2D:
    size = 10 if shape == "*" else 6
    return Line2D([], [], linestyle="", marker=shape, color=colour, label=label, markersize=size)
