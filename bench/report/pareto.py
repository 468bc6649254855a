"""The picture for those who see only one: loss against time, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..pages.style import bare, decades, pairs
from ..pages.words import duration
from .facts import Facts, per_tile
from .labels import name_points
from .lanes import Lanes
from .looks import looks

__all__ = ["Standing", "draw_pareto", "front", "standings"]

Standing = tuple[str, float, float]
"""Name, seconds a tile, mean loss."""


def standings(facts: Facts, pattern: str) -> list[Standing]:
    """List who has both a time and a loss in the pattern."""
    found = []
    for name in facts.names:
        seconds, loss = per_tile(facts.tile(name, pattern)), facts.loss(name, pattern)
        if seconds is not None and loss is not None:
            found.append((name, seconds, loss))
    return found


def front(points: Sequence[Standing]) -> list[Standing]:
    """Keep what nothing else both matches and beats, the fastest first."""
    found: list[Standing] = []
    for point in sorted(points, key=lambda point: point[1:]):
        if not found or point[2] < found[-1][2]:
            found.append(point)
    return found


def draw_pareto(facts: Facts) -> Figure | None:
    """Draw a panel for each main pattern in which anything has a time and a loss."""
    panels = {pattern: standings(facts, pattern) for pattern in facts.main}
    panels = {pattern: points for pattern, points in panels.items() if points}
    if not panels:
        return None
    lanes = Lanes((loss for points in panels.values() for _, _, loss in points), width=1.2)
    look = looks(facts)
    times = [seconds for points in panels.values() for _, seconds, _ in points]
    hint = (
        "lower left is better; filled and bold: masksolve, hollow: others; pale line: Pareto front"
    )
    title = "What a mask costs, and what it loses"
    with pairs(len(panels), 5.2, 3.9, title, hint) as (figure, grid):
        for axes, (pattern, points) in zip(grid, panels.items(), strict=True):
            _panel(axes, pattern, lanes, (min(times) / 2, max(times) * 3))
            _front(axes, lanes, front(points))
            for name, seconds, loss in points:
                look[name].point(axes, seconds, lanes(loss), ms=look[name].size, mew=1.3)
            axes.set_ylabel("mean loss of score, %")
    for axes, points in zip(grid, panels.values(), strict=True):
        # The reference first, then from the bottom up: those at 0 have the least room.
        order = sorted(points, key=lambda p: (not look[p[0]].first, lanes(p[2]), p[1]))
        name_points(axes, [(look[name], s, lanes(loss)) for name, s, loss in order])
    return figure


def _panel(axes: Axes, pattern: str, lanes: Lanes, limits: tuple[float, float]) -> None:
    bare(axes, pattern)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    decades(axes.xaxis, duration)
    axes.set_xlabel("time for one tile (log)")
    lanes.vertical(axes)


def _front(axes: Axes, lanes: Lanes, points: Sequence[Standing]) -> None:
    """Draw the front as a stair: nobody is to the left of it and beneath it."""
    x = [points[0][1], *(seconds for _, seconds, _ in points)]
    y = [axes.get_ylim()[1], *(lanes(loss) for _, _, loss in points)]
    axes.step(x, y, where="post", color="#9fb3c8", linewidth=5, alpha=0.55, zorder=1)
