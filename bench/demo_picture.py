"""The demo's picture: weights beside their masks, and the loss of each heuristic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

__all__ = ["draw"]

LAYER = "encoder.layer.0.attention.self.query.weight"
SIDE = 32
COLOURS = {"greedy": "#d1780f", "two_approx": "#7a4fa3"}
KEPT = "#12436d"


def draw(layers: Mapping[str, NDArray[Any]], runs: Mapping[Any, Any], path: Path) -> None:
    """Draw and save as PNG."""
    patterns = list(dict.fromkeys(pattern for pattern, _ in runs))
    figure, axes = plt.subplot_mosaic(
        [["weights", *patterns], ["loss"] * (1 + len(patterns))],
        figsize=(12, 7.6),
        height_ratios=(1.15, 1),
        layout="constrained",
    )
    piece = np.abs(layers[LAYER][:SIDE, :SIDE])
    axes["weights"].imshow(piece, cmap="Greys", vmax=float(np.quantile(piece, 0.99)))
    axes["weights"].set_title(f"|w|, a {SIDE} x {SIDE} piece of\n{LAYER[14:-7]}", fontsize=10)
    for pattern in patterns:
        result = runs[pattern, "exact"].results[LAYER]
        _mask(axes[pattern], piece, result.mask[:SIDE, :SIDE], int(pattern.split(":")[1]))
        kept = result.objective / np.abs(layers[LAYER], dtype=np.float64).sum()
        axes[pattern].set_title(
            f"transposable {pattern}, exact\nkeeps {100 * kept:.1f} % of this layer's |w|",
            fontsize=10,
        )
    for name in ("weights", *patterns):
        axes[name].set_xticks([])
        axes[name].set_yticks([])
    _losses(axes["loss"], patterns, runs)
    figure.suptitle(
        "Transposable N:M masks of a real encoder, and what heuristics lose", fontsize=13
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _mask(ax: Axes, piece: NDArray[Any], mask: NDArray[np.bool_], m: int) -> None:
    top = float(np.quantile(piece, 0.99))
    shade = np.clip(piece / top, 0, 1)[:, :, None]
    ink = np.array(mpl.colors.to_rgb(KEPT))
    # Kept entries in ink, paler where the weight is small; pruned ones stay white.
    image = np.where(mask[:, :, None], 1 - (0.35 + 0.65 * shade) * (1 - ink), 1.0)
    ax.imshow(image)
    for k in range(0, len(mask) + 1, m):
        ax.axhline(k - 0.5, color="#777777", linewidth=0.8)
        ax.axvline(k - 0.5, color="#777777", linewidth=0.8)


def _losses(ax: Axes, patterns: list[str], runs: Mapping[Any, Any]) -> None:
    rng = np.random.default_rng(0)
    for k, pattern in enumerate(patterns):
        best = runs[pattern, "exact"]
        for offset, (method, colour) in zip((-0.2, 0.2), COLOURS.items(), strict=True):
            other = runs[pattern, method]
            x = k + offset
            loss = 100 * (1 - other.kept / best.kept)
            ax.bar(x, loss, width=0.36, color=colour, alpha=0.35, label=_once(method, k))
            layers = [
                100 * (1 - other.results[name].objective / found.objective)
                for name, found in best.results.items()
            ]
            beside = x + rng.uniform(-0.12, 0.12, len(layers))
            ax.scatter(beside, layers, s=9, color=colour, zorder=3)
            repaired = 100 * (1 - other.repaired / best.kept)
            label = _once("after filling short lines", k + (offset > 0))
            line: dict[str, Any] = {"color": "black", "linewidth": 1.6, "zorder": 4}
            ax.hlines(repaired, x - 0.18, x + 0.18, label=label, **line)
            text = f"{loss:.2f} %\n{100 * other.short:.0f} % of tiles short"
            place: dict[str, Any] = {"textcoords": "offset points", "ha": "center"}
            ax.annotate(text, (x, max(layers)), (0, 4), fontsize=8, **place)
    ax.set_xticks(range(len(patterns)), [f"transposable {p}" for p in patterns])
    ax.set_ylabel("kept score lost\nagainst the proven optimum, %")
    ax.set_ylim(0, ax.get_ylim()[1] * 1.18)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(
        "bars: all layers; dots: each of the 36 layers; exact loses 0, proven", fontsize=10
    )
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _once(label: str, k: int) -> str:
    return label if k == 0 else "_"
