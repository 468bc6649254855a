"""The experiment's pictures: accuracy against what remains, layers, thresholds, N:M masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...pages.style import FAINT, FINE, INK, OTHERS, OURS, bare, decades, heat, sheet
from .findings import Reader
from .tasks import MAIN, PROJECTED

__all__ = ["layers", "masks", "sweep", "time"]

COLOURS = (*OURS, *OTHERS)
MARKS = ("o", "s", "D", "^")
SMALL = 8.0


def sweep(reader: Reader) -> Figure:
    """Draw accuracy against the remaining share, a panel a network."""
    title = "What is left, and what it costs"
    hint = (
        "Means of all seeds with 95 % intervals; 0 is the dense networks of the same seeds, "
        "dotted a point less."
    )
    many = len(reader.tasks)
    with sheet(1, many, 3.4 * many + 0.4, 3.9, title, hint) as (figure, panels):
        for axes, task in zip(panels, reader.tasks, strict=True):
            for k, (alpha, arm) in enumerate(reader.swept(task).items()):
                _point(axes, reader, task, arm, COLOURS[k], MARKS[k % 4], f"{alpha:g}")
            axes.axhline(0, color=FAINT, linewidth=1)
            axes.axhline(-1, color=FAINT, linewidth=1, linestyle=":")
            _percent(axes, "remaining weights, %")
            bare(axes, task)
            _legend(axes, "alpha")
        panels[0].set_ylabel("accuracy less dense's, points")
    return figure


def _point(
    axes: Axes, reader: Reader, task: str, arm: str, colour: str, mark: str, label: str
) -> None:
    left, less = reader.mean(task, arm, "remaining"), reader.less_dense(task, arm)
    bars: dict[str, Any] = {"xerr": _bar(left.half), "yerr": _bar(less.half), "elinewidth": 1}
    looks: dict[str, Any] = {"color": colour, "fmt": mark, "markersize": 6, "label": label}
    axes.errorbar(100 * left.mean, 100 * less.mean, **bars, **looks)


def _bar(half: float) -> float | None:
    return None if np.isnan(half) else 100 * half


def layers(reader: Reader) -> Figure:
    """Draw what is kept of each matrix at the end: a field a matrix and alpha."""
    names = {task: _matrices(reader, task) for task in reader.tasks}
    height = 0.24 * max(map(len, names.values())) + 1.6
    title = "Which layers keep their weights"
    hint = "Kept of each matrix at the end, %; means of all seeds."
    many = len(names)
    with sheet(1, many, 3.6 * many + 0.4, height, title, hint) as (figure, panels):
        for axes, task in zip(panels, reader.tasks, strict=True):
            swept = reader.swept(task)
            kept = np.array(
                [
                    [reader.curve(task, arm, "layers", name)[-1] for arm in swept.values()]
                    for name in names[task]
                ]
            )
            heat(axes, kept, lambda share: f"{100 * share:.{0 if share > 0.1 else 1}f}", SMALL)
            bare(axes, task)
            axes.grid(visible=False)
            axes.set_xticks(range(len(swept)), [f"{alpha:g}" for alpha in swept])
            axes.set_yticks(range(len(names[task])), [_called(name) for name in names[task]])
            axes.set_xlabel("alpha")
    return figure


def _matrices(reader: Reader, task: str) -> list[str]:
    return list(reader.runs(task, next(iter(reader.swept(task).values())))[0]["layers"])


def _called(name: str) -> str:
    return name.removeprefix("lstm.").replace("weight_", "")


def time(reader: Reader) -> Figure:
    """Draw remaining share and mean thresholds while the main network learns."""
    swept, every = reader.swept(MAIN), reader.tasks[MAIN]["every"]
    names = list(reader.runs(MAIN, next(iter(swept.values())))[0]["thresholds"])
    title = f"{MAIN}: thresholds over time"
    hint = "Means of all seeds; thresholds of a layer by their mean."
    many = 1 + len(names)
    with sheet(1, many, 3.4 * many + 0.4, 3.9, title, hint) as (figure, panels):
        for k, (alpha, arm) in enumerate(swept.items()):
            curves: Sequence[np.ndarray] = [
                100 * reader.curve(MAIN, arm, "remaining"),
                *(reader.curve(MAIN, arm, "thresholds", name) for name in names),
            ]
            for axes, curve in zip(panels, curves, strict=True):
                epochs = every * np.arange(1, len(curve) + 1)
                axes.plot(epochs, curve, color=COLOURS[k], label=f"{alpha:g}")
        for axes, title in zip(
            panels, ("remaining, %", *(f"thresholds of {n}" for n in names)), strict=True
        ):
            bare(axes, title)
            axes.set_xlabel("epoch")
        _legend(panels[0], "alpha", "upper right")
    return figure


def masks(reader: Reader) -> Figure:
    """Draw N:M masks beside masks by thresholds alone: by what is kept and has room."""
    title = f"{MAIN}: thresholds that choose N:M masks"
    hint = (
        "Means of all seeds, lines along alpha. All N:M masks are transposable and proven optimal."
    )
    with sheet(1, 2, 11.6, 4.4, title, hint, right=0.82) as (figure, panels):
        for k, m in enumerate(PROJECTED):
            swept = reader.swept(MAIN).values()
            trained = [arm for arm in (f"{a}, N:{m}" for a in swept) if arm in reader.arms(MAIN)]
            cut = [a for a in swept if f"{a}, N:{m}" in trained]
            if not trained:
                continue
            less = [100 * reader.less_dense(MAIN, arm).mean for arm in trained]
            after = [100 * reader.less_dense(MAIN, arm, str(m)).mean for arm in cut]
            for axes, name in zip(panels, ("remaining", "stored"), strict=True):
                there = [100 * reader.mean(MAIN, arm, name).mean for arm in trained]
                axes.plot(there, less, color=COLOURS[k], marker="o", label=f"N:{m} in training")
                there = [100 * reader.cut(MAIN, arm, str(m), name).mean for arm in cut]
                label = f"N:{m} after training"
                axes.plot(there, after, "o:", color=COLOURS[k], mfc="white", label=label)
        swept_arms = list(reader.swept(MAIN).values())
        _line(panels[0], reader, swept_arms, "remaining", INK, "thresholds alone")
        uniform = [arm for arm in reader.arms(MAIN) if arm.startswith("uniform")]
        for axes, name in zip(panels, ("remaining", "stored"), strict=True):
            _line(axes, reader, uniform, name, OTHERS[0], "the same N:M everywhere")
            axes.axhline(0, color=FAINT, linewidth=1)
        _percent(panels[0], "remaining weights, %")
        _percent(panels[1], "room in the patterns, N/M, %")
        bare(panels[0], "by what is kept")
        bare(panels[1], "by what would be stored")
        for axes in panels:
            axes.set_yscale("symlog", linthresh=1, linscale=2)
            axes.margins(y=0.1)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panels[0].set_ylabel("accuracy less dense's, points (logarithmic beyond 1)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=SMALL, loc="center right", frameon=False)
    return figure


def _line(axes: Axes, reader: Reader, arms: list[str], name: str, colour: str, label: str) -> None:
    there = [100 * reader.mean(MAIN, arm, name).mean for arm in arms]
    less = [100 * reader.less_dense(MAIN, arm).mean for arm in arms]
    axes.plot(there, less, color=colour, marker="s", label=label)


def _legend(axes: Axes, title: str, where: Literal["best", "upper right"] = "best") -> None:
    axes.legend(title=title, fontsize=SMALL, loc=where, edgecolor="none", framealpha=0.9)


def _percent(axes: Axes, label: str) -> None:
    """Set up a logarithmic axis of percents."""
    axes.set_xscale("log")
    axes.set_xlabel(label)
    decades(axes.xaxis, "{:g}".format, subs=FINE)
