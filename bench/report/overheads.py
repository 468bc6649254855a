"""What renewing masks adds to a training step, beside what papers printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..pages.style import FAINT, FONT, INK, bare, sheet
from ..pages.words import duration, percent, short_name
from ..published import Published
from .cells import why_nothing
from .facts import Facts, first
from .looks import Look, looks

__all__ = ["draw_overheads"]

THEIRS = "#9aa5b1"


def draw_overheads(
    facts: Facts, pattern: str, intervals: Sequence[int], published: Sequence[Published]
) -> Figure | None:
    """Draw a panel for each number of steps between renewals, a bar for each contestant.

    What papers printed for one of the intervals comes beneath.
    """
    records = [r for r in facts.training if r["pattern"] == pattern]
    shares = [r["overhead"] for r in records if r["every"] and r["overhead"] is not None]
    if not shares:
        return None
    names = [name for name in facts.names if any(r["contestant"] == name for r in records)]
    theirs = [figure for figure in published if figure.every in intervals]
    bars = len(names) + len(theirs)
    look = looks(facts)
    step = facts.dense(pattern)
    dense = f"a dense step takes {duration(step['median'])}; " if step and step["median"] else ""
    title = f"What renewing {pattern} masks adds to a training step"
    hint = f"{dense}hatched: as papers print it, on their machines and networks"
    size = 3 + 2 * max(2, len(intervals)), 0.27 * bars + 1.5
    with sheet(1, len(intervals), *size, title, hint) as (figure, grid):
        low, high = min(0.0, *shares), max(*shares, *(p.value / 100 for p in theirs), 0.1)
        for k, (axes, every) in enumerate(zip(grid, intervals, strict=True)):
            bare(axes, f"every {every} steps" if every > 1 else "every step")
            axes.grid(visible=False, axis="y")
            for row, name in enumerate(names):
                _bar(axes, row, facts, pattern, name, every, look[name])
            for row, printed in enumerate(theirs, len(names)):
                if printed.every == every:
                    axes.barh(row, printed.value, 0.62, fc="white", ec=THEIRS, hatch="////")
                    _value(axes, row, printed.value, f"+{printed.value:g} %", FAINT)
            texts = [look[name].text for name in names]
            texts += [short_name(f"{p.method}, {p.paper}", 40) for p in theirs]
            axes.set_yticks(range(bars), texts if k == 0 else [""] * bars)
            for text, name in zip(axes.get_yticklabels(), names, strict=False):
                text.set(color=look[name].colour, weight=look[name].weight)
            axes.set_ylim(bars - 0.4, -0.6)
            axes.set_xscale("symlog", linthresh=1.0)
            axes.set_xlim(200 * low, 3000 * high)
            ticks = [tick for tick in (0, 10, 1000, 100_000) if tick <= 200 * high]
            axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.minorticks_off()
            axes.set_xlabel("added to a step, %")
    return figure


def _bar(
    axes: Axes, row: int, facts: Facts, pattern: str, name: str, every: int, look: Look
) -> None:
    record = first(facts.training, name, every=every, pattern=pattern)
    # What kept it from one kept it from all.
    record = record or first(facts.training, name, pattern=pattern)
    if record is None or record["every"] != every or record["overhead"] is None:
        _value(axes, row, 0, why_nothing(record), FAINT)
        return
    share = record["overhead"]
    axes.barh(row, 100 * share, 0.62, fc=look.face, ec=look.colour, linewidth=1.3)
    _value(axes, row, max(100 * share, 0), f"{'+' * (share > 0)}{percent(share)} %", INK)


def _value(axes: Axes, row: int, x: float, text: str, colour: str) -> None:
    place: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    axes.annotate(text, (x, row), (4, 0), size=FONT - 0.5, color=colour, **place)
