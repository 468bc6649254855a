"""Draw docs/figures/tile.png: one 8 x 8 tile in 4:8, solved by three methods.

Run it from anywhere: ``python docs/figures/tile.py``. It needs matplotlib.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray
from PIL import Image

import masksolve as ms

INK, FAINT, PAPER, SHORT, DUAL = "#1d2733", "#8793a0", "#f1f4f7", "#c2410c", "#7c3aed"
KEPT = LinearSegmentedColormap.from_list("kept", ["#7fb2d6", "#0b3c6f"])


def main() -> None:
    """Solve the tile and write the picture next to this file."""
    scores = np.random.default_rng(0).permutation(99)[:64].reshape(8, 8) + 1
    best = ms.solve(scores, "4:8", potentials=True)
    mpl.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "font.size": 13})
    figure, panels = plt.subplots(2, 2, figsize=(9.6, 10.4), dpi=150)
    draw_tile(panels[0, 0], scores, best, best.objective)
    draw_potentials(panels[0, 0], scores, best)
    draw_key(panels[0, 1])
    for axes, method in zip(panels[1], ("greedy", "two_approx"), strict=True):
        draw_tile(axes, scores, ms.solve(scores, "4:8", method=method), best.objective)
    figure.subplots_adjust(left=0, right=1, top=1, bottom=0, wspace=0, hspace=0)
    save(figure, Path(__file__).with_suffix(".png"))


def save(figure: plt.Figure, path: Path) -> None:
    """Write a small PNG: flat colours need no more than a palette."""
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white")
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)


def draw_tile(axes: Axes, scores: NDArray[np.int64], result: ms.MaskResult, best: float) -> None:
    """Draw the scores, kept ones filled, and how many each line keeps."""
    blank(axes)
    for (i, j), score in np.ndenumerate(scores):
        draw_entry(axes, j, i, score, result.mask[i, j])
    columns, rows = result.mask.sum(axis=0), result.mask.sum(axis=1)
    for line in range(8):
        draw_count(axes, line, 7.95, columns[line])
        draw_count(axes, 8.0, line, rows[line])
    share = result.objective / best
    kept = f"keeps {result.objective:.0f}"
    if result.upper_bound is not None:
        verdict = f"{kept}; no mask keeps more than {result.upper_bound:.0f}"
    else:
        verdict = f"{kept} ({share:.1%}); {np.sum(rows < 4) + np.sum(columns < 4)} lines short"
    top = -0.85 if result.tiles.row_potentials is None else -1.55
    axes.text(3.5, top - 0.7, result.method, ha="center", size=17, weight="bold")
    axes.text(3.5, top, verdict, ha="center")


def blank(axes: Axes) -> None:
    """Set the scale: one unit is one entry, rows go down."""
    axes.set(xlim=(-1.8, 8.8), ylim=(8.7, -3.0), aspect="equal")
    axes.axis("off")


def draw_entry(axes: Axes, x: float, y: float, score: int, kept: bool) -> None:
    """Draw one score, on a dark ground if it is kept."""
    colour = KEPT(score / 99) if kept else PAPER
    add_box(axes, x, y, facecolor=colour, linewidth=0)
    weight, shade = ("bold", "white") if kept else ("normal", FAINT)
    axes.text(x, y, score, ha="center", va="center", weight=weight, color=shade)


def add_box(axes: Axes, x: float, y: float, **style: object) -> None:
    """Add a square with round corners."""
    corners = "round,pad=0,rounding_size=0.12"
    axes.add_patch(FancyBboxPatch((x - 0.44, y - 0.44), 0.88, 0.88, boxstyle=corners, **style))


def draw_count(axes: Axes, x: float, y: float, count: int) -> None:
    """Write how many a line keeps, on a disc where that is short of 4."""
    style = {"ha": "center", "va": "center"}
    if count == 4:
        axes.text(x, y, count, color=FAINT, **style)
        return
    disc = {"boxstyle": "circle,pad=0.22", "facecolor": SHORT, "linewidth": 0}
    axes.text(x, y, count, weight="bold", color="white", bbox=disc, **style)


def draw_potentials(axes: Axes, scores: NDArray[np.int64], result: ms.MaskResult) -> None:
    """Write u left of the tile, v above it; frame each row's last kept and first pruned."""
    u, v = result.tiles.row_potentials[0, 0], result.tiles.column_potentials[0, 0]
    style = {"va": "center", "color": DUAL}
    axes.text(-0.75, -0.78, r"$u_i \backslash v_j$", ha="right", **style)
    for k in range(8):
        axes.text(-0.75, k, minus(u[k]), ha="right", size=10.5, **style)
        axes.text(k, -0.78, minus(v[k]), ha="center", size=10.5, **style)
    above = scores - u[:, None] - v
    last_kept = np.where(result.mask, above, np.inf).argmin(axis=1)
    first_pruned = np.where(result.mask, -np.inf, above).argmax(axis=1)
    for columns in (last_kept, first_pruned):
        for i, j in enumerate(columns):
            add_box(axes, j, i, facecolor="none", edgecolor=DUAL, linewidth=2)


def minus(value: float) -> str:
    """Write a number to one place, with a proper minus sign."""
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def draw_key(axes: Axes) -> None:
    """Explain the signs."""
    blank(axes)
    left, text = -0.6, 0.4
    axes.text(left - 0.44, -1.6, "How to read it", size=15, weight="bold", va="center")
    draw_entry(axes, left, -0.4, 82, True)
    axes.text(text, -0.4, "kept: the darker, the higher its score", va="center")
    draw_entry(axes, left, 0.7, 37, False)
    axes.text(text, 0.7, "pruned", va="center")
    draw_count(axes, left, 1.8, 4)
    axes.text(text, 1.8, "how many the row or column keeps", va="center")
    draw_count(axes, left, 2.9, 3)
    axes.text(text, 2.9, "a short line: fewer than 4", va="center")
    axes.text(left, 4.0, "51.5", ha="center", va="center", size=10.5, color=DUAL)
    axes.text(text, 4.0, "potentials: $u_i$ of rows, $v_j$ of columns", va="center")
    add_box(axes, left, 5.2, facecolor="none", edgecolor=DUAL, linewidth=2)
    frames = "last kept, first pruned of a row:\n$u_i$ is half-way between their $s_{ij} - v_j$"
    axes.text(text, 5.2, frames, va="center", linespacing=1.4)
    proof = (
        "The proof that no mask keeps more:\n"
        "every kept score is above $u_i + v_j$,\n"
        "every pruned score is below $u_i + v_j$,\n"
        "and every line is full."
    )
    axes.text(left - 0.44, 7.3, proof, va="center", linespacing=1.5)


if __name__ == "__main__":
    main()
