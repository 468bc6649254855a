"""Curves on logarithmic axes: a line for each contestant, its name at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ..pages.style import bare, decades, pairs
from ..pages.words import bytes_, duration
from ..results import Timing
from .facts import Facts, key_of, per_tile
from .labels import name_lines
from .looks import Look, looks

__all__ = ["Lines", "draw_cores", "draw_memory", "draw_patterns", "draw_sizes"]

Points = list[tuple[float, float]]


class Scale(NamedTuple):
    """What the y axis says."""

    label: str
    write: Callable[[float], str]
    base: int = 10


TIME, EACH = Scale("time (log)", duration), Scale("time a tile (log)", duration)
MEMORY = Scale("bytes (log)", bytes_, 16)


@dataclass
class Lines:
    """One panel: points by contestant, and the words for its x axis."""

    title: str
    points: dict[str, Points] = field(default_factory=dict)
    ticks: dict[float, str] = field(default_factory=dict)

    def add(self, name: str, x: float, y: float | None, tick: str) -> None:
        """Add a point, if it was measured."""
        if y is not None and y > 0:
            self.points.setdefault(name, []).append((x, y))
            self.ticks[x] = tick


def draw_sizes(facts: Facts) -> Figure | None:
    """Draw the time of a matrix against its size, a panel for each pattern."""
    panels = _by_size(facts, lambda record: record["median"])
    return _draw(facts, panels, "Time for a whole matrix, by its size", "rows x columns", TIME)


def draw_memory(facts: Facts) -> Figure | None:
    """Draw the peak memory of a call against the size."""
    panels = _by_size(facts, lambda record: record["peak_bytes"], facts.headline)
    return _draw(facts, panels, "Peak memory of a call, input aside", "rows x columns", MEMORY)


def _by_size(
    facts: Facts, value: Callable[[Timing], float | None], only: str | None = None
) -> list[Lines]:
    panels: dict[str, Lines] = {}
    timings = facts.timed("size")
    for record in sorted(timings, key=lambda record: record["rows"] * record["columns"]):
        if (only or record["pattern"]) != record["pattern"]:
            continue
        title = record["pattern"] + _case(facts, record)
        panel = panels.setdefault(title, Lines(title))
        weights = record["rows"] * record["columns"]
        square = record["rows"] == record["columns"]
        tick = f"{record['rows']}" if square else f"{record['rows']} x\n{record['columns']}"
        panel.add(record["contestant"], weights, value(record), tick)
    return sorted(panels.values(), key=lambda panel: key_of(panel.title.split()[0]))


def _case(facts: Facts, record: Timing) -> str:
    return "" if record["case"] == facts.case else f" on {record['case']}"


def draw_patterns(facts: Facts) -> Figure | None:
    """Draw the time of a tile against M, for the patterns that keep half."""
    panel = Lines("N = M / 2")
    for record in sorted(facts.timed("pattern"), key=lambda record: key_of(record["pattern"])):
        m, n = key_of(record["pattern"])
        if record["case"] == facts.case and m == 2 * n:
            panel.add(record["contestant"], m, per_tile(record), record["pattern"])
    return _draw(facts, [panel], "Time for one tile, by M", "pattern", EACH)


def draw_cores(facts: Facts) -> Figure | None:
    """Draw the time of a tile against the cores that a contestant may use."""
    panels: dict[str, Lines] = {}
    for record in sorted(facts.timed("cores"), key=lambda record: record["cores"]):
        panel = panels.setdefault(record["pattern"], Lines(record["pattern"]))
        cores = record["cores"]
        panel.add(record["contestant"], cores, per_tile(record), f"{cores}")
    return _draw(facts, list(panels.values()), "Time for one tile, by cores", "cores", EACH)


def _draw(
    facts: Facts, found: Sequence[Lines], title: str, xlabel: str, scale: Scale
) -> Figure | None:
    panels = [panel for panel in found if panel.points]
    if not panels:
        return None
    look = looks(facts)
    every = [y for panel in panels for line in panel.points.values() for _, y in line]
    width = 7.8 if len(panels) == 1 else 5.2
    hint = (
        "filled and bold: masksolve; hollow, dashed: others; lines end at "
        "the largest that was measured"
    )
    with pairs(len(panels), width, 4.0, title, hint) as (figure, grid):
        for axes, panel in zip(grid, panels, strict=True):
            bare(axes, panel.title)
            _lines(axes, panel.points, look)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_ylim(min(every) / 2, max(every) * 2)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticks(list(panel.ticks), list(panel.ticks.values()))
            if len(panel.ticks) > 7:
                axes.tick_params(axis="x", rotation=45)
            decades(axes.yaxis, scale.write, scale.base)
            axes.set_xlabel(xlabel)
            axes.set_ylabel(scale.label)
    _make_room(figure, grid)
    for axes, panel in zip(grid, panels, strict=True):
        name_lines(axes, [(look[name], *line[-1]) for name, line in panel.points.items()])
    return figure


def _lines(axes: Axes, points: Mapping[str, Points], look: Mapping[str, Look]) -> None:
    for name, line in points.items():
        one = look[name]
        axes.plot(
            *zip(*line, strict=True),
            marker=one.marker,
            color=one.colour,
            mfc=one.face,
            ms=one.size - 2,
            mew=1.1,
            linewidth=2.4 if one.first else 1.2,
            linestyle="-" if one.ours else (0, (4, 2)),
            zorder=4 if one.first else 3,
        )


NAMES = 1.5  # inches, at the right of every panel


def _make_room(figure: Figure, grid: Sequence[Axes]) -> None:
    """Narrow the panels, so that names find room at their right."""
    share = NAMES / figure.get_figwidth()
    for axes in grid:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0, box.width - share, box.height))
