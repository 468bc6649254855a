"""Draw docs/figures/architecture.png: the floors, and a weight matrix's way through them.

The floors are the contracts in pyproject.toml, so the picture cannot say what does not hold.
Run it from anywhere: ``python docs/figures/architecture.py``. It needs matplotlib.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INK, FAINT, ROOM, WAY = "#1d2733", "#6b7783", "#dde6ee", "#b45309"
WIDTH, HEIGHT, GAP = 0.95, 0.62, 0.38
STEPS = {  # of a weight matrix, in order
    "masksolve": (
        "cli",
        "solving",
        "problem",
        "scores",
        "tiles",
        "solvers",
        "kernels",
        "certificate",
        "result",
    ),
    "masksolve.torch": ("training", "scores", "devices", "gpu", "results", "masked"),
}


def floors(name: str) -> list[list[str]]:
    """Read the layers of a contract, from the top."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in settings["contracts"] if c["id"] == name)
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def draw(axes: Axes, rooms: list[list[str]], steps: tuple[str, ...], title: str) -> None:
    """Draw the rooms floor by floor, and number the stops on the way."""
    for k, floor in enumerate(rooms):
        y = -k * (HEIGHT + GAP)
        left = -len(floor) / 2
        for j, room in enumerate(floor):
            x = left + j + (1 - WIDTH) / 2
            on_way = room in steps
            axes.add_patch(
                FancyBboxPatch(
                    (x, y),
                    WIDTH,
                    HEIGHT,
                    boxstyle="round,pad=0,rounding_size=0.08",
                    facecolor="#fdebd3" if on_way else ROOM,
                    edgecolor=WAY if on_way else "none",
                    linewidth=1.2,
                )
            )
            axes.text(x + WIDTH / 2, y + HEIGHT / 2, room, ha="center", va="center", fontsize=8.5)
            if on_way:
                axes.text(
                    x + 0.02,
                    y + HEIGHT,
                    str(steps.index(room) + 1),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white",
                    weight="bold",
                    bbox={"boxstyle": "circle,pad=0.25", "facecolor": WAY, "edgecolor": "none"},
                )
    widest = max(map(len, rooms))
    axes.set_xlim(-widest / 2 - 0.1, widest / 2 + 0.1)
    axes.set_ylim(-len(rooms) * (HEIGHT + GAP) + GAP, HEIGHT + 0.35)
    axes.set_title(title, loc="left", fontsize=11, weight="bold", color=INK)
    axes.axis("off")


def main() -> None:
    """Draw the package on the left, its adapter for torch on the right."""
    figure = Figure(figsize=(12.5, 7.6), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[4, 6])
    draw(left, floors("floors"), STEPS["masksolve"], "masksolve")
    draw(right, floors("wings"), STEPS["masksolve.torch"], "masksolve.torch")
    figure.text(
        0.5,
        -0.01,
        "Rooms import from floors below their own, never from above or from their neighbours. "
        "Numbers: the way of a weight matrix; of a layer in training.",
        ha="center",
        va="top",
        color=FAINT,
        fontsize=9.5,
    )
    figure.savefig(HERE / "architecture.png", facecolor="white", bbox_inches="tight")


if __name__ == "__main__":
    main()
