"""A plan as a picture: kept score against density, and against mask diversity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from masksolve.drawing import INK, check_drawing, save, style
from masksolve.planning.rows import PlanRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

BAND = "#f5f7f9"


class _Kind(NamedTuple):
    name: str
    colour: str
    marker: str
    filled: bool


TRANSPOSABLE = _Kind("transposable", "#1f6cae", "o", True)
PLAIN = _Kind("plain N:M", "#b45309", "s", False)
UNSTRUCTURED = _Kind("unstructured: the largest scores of each tensor", "#6b7783", "D", False)
AT_MOST = _Kind("transposable, at most n", "#1f6cae", "^", False)
KINDS = (TRANSPOSABLE, AT_MOST, PLAIN, UNSTRUCTURED)


class _Point(NamedTuple):
    kind: _Kind
    label: str
    density: float
    entropy: float | None
    kept: float
    error: float


def draw(rows: Sequence[PlanRow], path: Path) -> None:
    """Draw a plan's rows to a file that appears whole or not at all."""
    check_drawing(path)
    from matplotlib.figure import Figure

    points = _points(rows)
    kept = [point.kept for point in points]
    margin = 0.08 * (max(kept) - min(kept)) + 0.5
    # A figure of its own, without pyplot: nothing of the caller's is touched.
    figure = Figure(figsize=(12.0, 6.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.set_ylim(min(kept) - margin, max(kept) + margin)
    _by_density(left, points)
    _by_entropy(right, points)
    left.set_ylabel("kept share of the total score, %", color=INK)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False, labelcolor=INK
    )
    save(figure, path)


def _points(rows: Sequence[PlanRow]) -> list[_Point]:
    found: dict[tuple[_Kind, str], _Point] = {}

    def add(kind: _Kind, label: str, entropy: float | None, share: float, error: float = 0) -> None:
        found[kind, label] = _Point(kind, label, density, entropy, 100 * share, 100 * error)

    for row in rows:
        name, at_most = f"{row.pattern.n}:{row.pattern.m}", row.pattern.at_most
        density = round(row.density, 2)  # ragged edges make small differences
        if row.pattern.transposable:
            low, high = row.interval or (0.0, 0.0)
            kind = AT_MOST if at_most else TRANSPOSABLE
            add(kind, name, row.mask_entropy, row.kept_share, (high - low) / 2)
        # With at most n plain masks keep what they do with n: one point is enough.
        if not (at_most and (PLAIN, name) in found):
            add(PLAIN, name, row.plain_entropy, row.plain_share)
        label = f"{100 * density:.3g} %"
        add(UNSTRUCTURED, label, row.unstructured_entropy, row.unstructured_share)
    return list(found.values())


def _by_density(axes: Axes, points: Sequence[_Point]) -> None:
    """Draw a band for each density, the kinds side by side so that labels have room."""
    densities = sorted({point.density for point in points})
    gap = min((b - a for a, b in pairwise(densities)), default=1.0)
    kinds = [kind for kind in KINDS if any(point.kind is kind for point in points)]
    for density in densities:
        axes.axvspan(density - 0.3 * gap, density + 0.38 * gap, color=BAND, zorder=0)
        for k, kind in enumerate(kinds):
            column = [p for p in points if p.kind is kind and p.density == density]
            x = density + gap * (0.66 * (k + 0.1) / len(kinds) - 0.25)
            _mark(axes, kind, [x] * len(column), column)
            for point, y in zip(column, _apart([p.kept for p in column], axes), strict=True):
                _label(axes, point, (x, y), (7, 0), "left", "center")
    axes.set_xticks(densities, [f"{d:.3g}" for d in densities])
    axes.set_xlim(densities[0] - 0.45 * gap, densities[-1] + 0.5 * gap)
    _style(axes, "density", "density: share of the weights that is kept")
    axes.grid(visible=False, axis="x")


def _by_entropy(axes: Axes, points: Sequence[_Point]) -> None:
    """Draw each kind's points, those of one density joined."""
    for kind in KINDS:
        mine = sorted(
            (point.entropy, point.kept, point)
            for point in points
            if point.kind is kind and point.entropy is not None
        )
        if not mine:
            continue
        _mark(axes, kind, [x for x, _, _ in mine], [point for _, _, point in mine])
        for density in {point.density for _, _, point in mine}:
            line = [(x, y) for x, y, point in mine if point.density == density]
            axes.plot(*zip(*line, strict=True), color=kind.colour, linewidth=0.8, alpha=0.5)
        for x, y, point in mine:
            if kind in (TRANSPOSABLE, AT_MOST):
                _label(axes, point, (x, y), (6, -4), "left", "top")
            else:
                _label(axes, point, (x, y), (-7, 5), "right", "bottom")
    axes.margins(x=0.08)
    _style(axes, "mask diversity", "diversity: bits a weight, log2 of the number of masks")


def _mark(axes: Axes, kind: _Kind, x: Sequence[float], points: Sequence[_Point]) -> None:
    y, errors = [p.kept for p in points], [p.error for p in points]
    face = kind.colour if kind.filled else "white"
    looks: dict[str, Any] = {
        "color": kind.colour,
        "markerfacecolor": face,
        "markersize": 7,
        "zorder": 3,
    }
    axes.plot(x, y, kind.marker, label=kind.name, **looks)
    if any(errors):
        axes.errorbar(x, y, yerr=errors, fmt="none", color=kind.colour, capsize=3)


def _label(
    axes: Axes,
    point: _Point,
    place: tuple[float, float],
    offset: tuple[int, int],
    side: str,
    height: str,
) -> None:
    looks: dict[str, Any] = {"fontsize": 9, "color": point.kind.colour, "zorder": 4}
    where: dict[str, Any] = {"textcoords": "offset points", "ha": side, "va": height}
    axes.annotate(point.label, place, offset, **where, **looks)


def _apart(values: Sequence[float], axes: Axes) -> list[float]:
    """Move labels up until no two overlap."""
    low, high = axes.get_ylim()
    step, floor = (high - low) / 34, -inf
    found = dict.fromkeys(range(len(values)), 0.0)
    for k in sorted(found, key=values.__getitem__):
        found[k] = floor = max(values[k], floor + step)
    return list(found.values())


def _style(axes: Axes, what: str, label: str) -> None:
    style(axes, f"Kept score against {what}")
    axes.set_xlabel(label, color=INK)
    axes.tick_params(labelleft=True)
