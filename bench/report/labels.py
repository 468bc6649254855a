"""Names beside points and lines, none on top of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from ..pages.style import FONT
from .looks import Look

__all__ = ["name_lines", "name_points"]

NEAR = [
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 6, "center", "bottom"),
    (0, -6, "center", "top"),
]
FAR = [
    (dx, dy, "left" if dx > 0 else "right", "bottom" if dy > 0 else "top")
    for reach in range(9, 100, 6)
    for across, along in ((7, reach), (reach, 8))
    for dx in (across, -across)
    for dy in (along, -along)
]


def name_points(axes: Axes, points: Sequence[tuple[Look, float, float]]) -> None:
    """Write each name at the nearest free place around its point.

    Call it when the limits of the axes are final.
    """
    frame = axes.get_window_extent()
    taken = []
    for look, x, y in points:
        px, py = axes.transData.transform((x, y))
        r = look.size * 1.3
        taken.append(Bbox.from_extents(px - r, py - r, px + r, py + r))
    for look, x, y in points:
        best = None
        place: dict[str, Any]
        for dx, dy, across, along in (*NEAR, *FAR):
            place = {"textcoords": "offset points", "ha": across, "va": along, "zorder": 5}
            place |= {"annotation_clip": False} | look.font
            text = axes.annotate(look.text, (x, y), (dx, dy), **place)
            box = text.get_window_extent().padded(2)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                best = box
                break
            text.remove()
        if best is None:
            continue
        taken.append(best)
        if (dx, dy, across, along) not in NEAR:
            line = {"arrowstyle": "-", "color": look.colour, "lw": 0.6, "alpha": 0.6}
            place = {"textcoords": "offset points", "zorder": 1, "arrowprops": line}
            axes.annotate("", (x, y), (dx, dy), **place)


def name_lines(axes: Axes, ends: Sequence[tuple[Look, float, float]]) -> None:
    """Write each name at the right edge, as high as its line ends or as near as there is room.

    Call it when the limits of the axes are final.
    """
    edge = axes.get_window_extent()
    gap = 1.32 * FONT * axes.figure.dpi / 72
    order = sorted(ends, key=lambda end: axes.transData.transform(end[1:])[1])
    wanted = [float(axes.transData.transform(end[1:])[1]) for end in order]
    heights = _spread(wanted, gap, edge.y0, edge.y1)
    for (look, x, y), height in zip(order, heights, strict=True):
        right, level = axes.transData.inverted().transform((edge.x1 + 14, height))
        line: dict[str, Any] = {
            "color": look.colour,
            "lw": 0.6,
            "alpha": 0.5,
            "clip_on": False,
            "zorder": 1,
        }
        axes.plot([x, right], [y, level], linestyle=(0, (2, 2)), **line)
        axes.text(right, level, f" {look.text}", va="center", ha="left", **look.font)


def _spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move sorted heights as little as needed for a gap between any two: merge into blocks."""
    blocks: list[tuple[float, int]] = []  # the middle of a block, and its labels
    for height in wanted:
        middle, count = height, 1
        while True:
            reach = gap * (count - 1) / 2
            middle = min(max(middle, low + reach), high - reach)
            if not blocks or middle - blocks[-1][0] >= gap * (count + blocks[-1][1]) / 2:
                break
            before, labels = blocks.pop()
            middle = (before * labels + middle * count) / (labels + count)
            count += labels
        blocks.append((middle, count))
    return [middle + gap * (k - (count - 1) / 2) for middle, count in blocks for k in range(count)]
