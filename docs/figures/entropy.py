"""Draw docs/figures/entropy.png: bits a weight of masks, over density, for every m.

Run it from anywhere: ``python docs/figures/entropy.py``. It needs matplotlib.
"""

from __future__ import annotations

import io
from math import log2
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from masksolve import Pattern, diversity

HERE = Path(__file__).resolve().parent
INK, FAINT, GRID = "#1d2733", "#8793a0", "#e3e8ed"
COLOURS = {2: "#b91c1c", 4: "#ea580c", 8: "#ca8a04", 16: "#15803d", 32: "#1f6cae", 64: "#5b21b6"}


def entropy(density: float) -> float:
    """Bits a weight of masks that keep so much, anywhere."""
    return -density * log2(density) - (1 - density) * log2(1 - density)


def main() -> None:
    """One line a tile side; unstructured masks above them all."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "font.size": 11})
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.4), dpi=150, sharey=True)
    grid = np.linspace(0.005, 0.995, 199)
    for axes, plain in zip(panels, (False, True), strict=True):
        axes.plot(grid, [entropy(p) for p in grid], color=INK, linestyle=":", linewidth=1.6)
        for m, colour in COLOURS.items():
            patterns = [Pattern(n, m, transposable=not plain) for n in range(1, m)]
            bits = [diversity.bits(pattern) for pattern in patterns]
            axes.plot(
                [p.density for p in patterns],
                bits,
                color=colour,
                linewidth=1.5,
                marker="o",
                markersize=3 if m > 8 else 4.5,
            )
            if not plain or m < 16:  # at half, where the lines are furthest apart
                axes.annotate(
                    f"m = {m}",
                    (0.5, bits[m // 2 - 1]),
                    (0, -11 if m > 2 else -14),
                    textcoords="offset points",
                    ha="center",
                    color=colour,
                    size=9.5,
                )
        axes.annotate(
            "unstructured", (0.5, 1.0), (0, 5), textcoords="offset points", ha="center", size=9.5
        )
        axes.set_title(
            "plain n:m" if plain else "transposable n:m",
            loc="left",
            size=12,
            weight="bold",
            color=INK,
        )
        axes.set_xlabel("density, n / m", color=INK)
        axes.set_ylim(0, 1.12)
        axes.grid(color=GRID, linewidth=0.9)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelcolor=FAINT)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("bits a weight", color=INK)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white")
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(96, dither=Image.Dither.NONE).save(HERE / "entropy.png", optimize=True)


if __name__ == "__main__":
    main()
