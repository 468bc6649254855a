"""Draw docs/figures/speed.png: the speed table of docs/results/core.json as bars.

Run it from anywhere: ``python docs/figures/speed.py``. It needs matplotlib.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from masksolve.bench.pages.findings import cores_of

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "results" / "core.json"
INK, FAINT, GRID = "#1d2733", "#8793a0", "#e3e8ed"
COLOURS = {"float32": "#1f6cae", "bf16 grid": "#ea580c", "int8 grid": "#b91c1c"}
WIDTH = 0.26


def main() -> None:
    """One group of bars a pattern, one bar a kind of scores."""
    found = json.loads(DATA.read_text())
    rows = found["speed"]
    patterns = list(dict.fromkeys(row["pattern"] for row in rows))
    mpl.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "font.size": 11})
    figure, axes = plt.subplots(figsize=(9.0, 4.4), dpi=150)
    for k, (scores, colour) in enumerate(COLOURS.items()):
        passes = [row["passes"] for row in rows if row["scores"] == scores]
        places = np.arange(len(patterns)) + (k - 1) * (WIDTH + 0.02)
        axes.bar(places, passes, WIDTH, color=colour, label=scores)
        for x, y in zip(places, passes, strict=True):
            axes.text(x, 1.03 * y, f"{y:.1f}", ha="center", va="bottom", color=colour, size=10)
    axes.set_title(
        f"Time to solve and prove 4096 x 4096 scores on {cores_of(found['machine'])}",
        loc="left",
        weight="bold",
        size=12,
        color=INK,
        pad=12,
    )
    axes.set_yscale("log")
    axes.set_ylim(1, 200)
    axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_ylabel("passes over memory (log)", color=INK)
    axes.set_xticks(range(len(patterns)), patterns)
    axes.grid(axis="y", color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=FAINT)
    axes.tick_params(axis="x", labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.legend(
        loc="upper left",
        labelcolor=INK,
        facecolor="white",
        edgecolor="white",
        framealpha=1,
        fancybox=False,
        bbox_to_anchor=(0, 0.99),
    )
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white")
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(96, dither=Image.Dither.NONE).save(HERE / "speed.png", optimize=True)


if __name__ == "__main__":
    main()
