"""A report as a picture: what each kind of layer loses, block by block, before and after."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from masksolve.checkpoints.names import brief
from masksolve.drawing import FAINT, INK, check_drawing, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

Blocks = Sequence[Mapping[str, Any]]

BEFORE, AFTER = "#c2410c", "#1f6cae"
COLUMNS = 4
STREAM = "hidden states after the block"


class _Look(NamedTuple):
    """A line: what it is called, and how it is drawn."""

    label: str
    options: dict[str, Any]


LOOKS = {
    "held_out_before": _Look("the first mask alone, on held-out tokens", {"color": BEFORE}),
    "before": _Look("the first mask alone, on fitted tokens", {"color": BEFORE, "linestyle": ":"}),
    "held_out_after": _Look("masks and weights fitted, on held-out tokens", {"color": AFTER}),
    "after": _Look(
        "masks and weights fitted, on fitted tokens", {"color": AFTER, "linestyle": ":"}
    ),
}
"""Of the errors of a layer; the block's own errors look like those that are fitted."""
OWN = {"held_out": LOOKS["held_out_after"], "fit": LOOKS["after"]}


def draw(blocks: Blocks, path: Path, title: str = "") -> None:
    """Draw what each kind of layer loses to a file that appears whole or not at all.

    Parameters
    ----------
    blocks : sequence of mapping
        As in `PruneReport.blocks`.
    path : Path
        A picture's: ``.png``, ``.svg`` or ``.pdf``.
    title : str

    Raises
    ------
    InvalidInput
        If it cannot be drawn.
    """
    check_drawing(path)
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = _panels(blocks)
    columns = max(1, min(COLUMNS, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    # A figure of its own, without pyplot: nothing of the caller's is touched.
    figure = Figure(
        figsize=(3.6 * columns + 0.6, 2.5 * rows + 1.2),
        layout=ConstrainedLayoutEngine(h_pad=0.08, hspace=0.04, wspace=0.04),
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, (kind, lines) in zip(grid.flat, panels.items(), strict=False):
        _draw_kind(axes, kind, lines)
    for axes in [*grid.flat][len(panels) :]:
        axes.set_visible(False)
    for axes in [*grid.flat][: len(panels)][-columns:]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("block", color=INK, fontsize=9)
    figure.supylabel("squared error, in shares of what is wanted", color=INK, fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK, fontsize=13)
    handles = {
        label: line
        for axes in grid.flat
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        labelcolor=INK,
    )
    save(figure, path)


Lines = dict[str, dict[int, list[float]]]
"""Of each figure its values in each block; several where a block has layers of one kind."""


def _panels(blocks: Blocks) -> dict[str, Lines]:
    """Collect the lines of every kind of layer, and those of the hidden states."""
    found: dict[str, Lines] = {}
    for number, block in enumerate(blocks):
        for layer in block["layers"]:
            lines = found.setdefault(_kind(block["name"], layer["name"]), {})
            for figure in LOOKS:
                _add(lines, figure, number, layer["errors"].get(figure))
    for number, block in enumerate(blocks):
        for figure in OWN:
            if figure in block["errors"]:
                _add(found.setdefault(STREAM, {}), figure, number, block["errors"][figure])
    return found


def _add(lines: Lines, figure: str, number: int, value: float | None) -> None:
    if value is not None and value > 0:  # what is nothing has no place on a logarithmic axis
        lines.setdefault(figure, {}).setdefault(number, []).append(value)


def _kind(block: str, layer: str) -> str:
    """Return what layers of all blocks are called within theirs.

    Examples
    --------
    >>> _kind("model.layers.3", "model.layers.3.mlp.experts.7.up_proj.weight")
    'mlp.experts.*.up_proj'
    """
    _, _, within = f".{layer}".partition(f".{block}.")
    return re.sub(r"(?<=[.\[])\d+(?=[.\]])", "*", (within or layer).removesuffix(".weight"))


def _draw_kind(axes: Axes, kind: str, lines: Lines) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    looks = OWN if kind == STREAM else LOOKS
    for figure, look in looks.items():
        if figure in lines:
            values = lines[figure]
            middle = [float(np.median(values[number])) for number in values]
            (line,) = axes.plot([*values], middle, label=look.label, linewidth=1.4, **look.options)
            line.set_marker("o" if len(values) < 3 else "")
            if any(len(several) > 1 for several in values.values()):
                low, high = ([*map(end, values.values())] for end in (min, max))
                axes.fill_between(
                    [*values], low, high, color=look.options["color"], alpha=0.12, linewidth=0
                )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style(axes, brief(kind, 34), 10)
    axes.tick_params(labelsize=8.5, labelcolor=FAINT)
