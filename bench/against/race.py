"""A group of calls raced: how many times as fast this build is, row by row."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from ..pages.findings import significant
from .groups import Call, Group
from .racers import Entrant, Racer, Times, take_turns

__all__ = ["race"]

NARROWEST = 14
"""Of a column of figures, in characters."""


def race(
    group: Group, here: Racer, base: Racer, rounds: int, console: Console
) -> list[dict[str, Any]]:
    """Time a group's calls, print a row as soon as there is one, and return what was found.

    Parameters
    ----------
    group : Group
    here, base : Racer
        This build, and the one that it is held against.
    rounds : int
        Values of each; at least 2.
    console : Console

    Returns
    -------
    list of dict
        For each call its fields, all seconds, the quartiles of the ratios, and the reasons of
        those that have none; by "here", "base" and, where there is one, `group.beside_name`.
    """
    sheet = _Sheet(group, console)
    found = []
    for k, call in enumerate(group.calls):
        entrants = [Entrant("here", here, call), Entrant("base", base, call)]
        entrants += [Entrant(group.beside_name, here, other) for other in group.beside[k : k + 1]]
        times = take_turns(entrants, rounds)
        ratios = {name: _quartiles(times["here"], times[name]) for name in list(times)[1:]}
        sheet.row(call, times, ratios)
        found.append(
            {
                **call._asdict(),
                "seconds": {name: _short(t) for name, t in times.items() if not isinstance(t, str)},
                "ratios": {name: _short(q) for name, q in ratios.items() if q},
                "reasons": {name: t for name, t in times.items() if isinstance(t, str)},
            }
        )
    sheet.end([run["ratios"]["base"][1] for run in found if "base" in run["ratios"]])
    return found


def _quartiles(here: Times, other: Times) -> list[float]:
    """Find how many times as fast as another this build is, round by round; [] if unknown."""
    if isinstance(here, str) or isinstance(other, str):
        return []
    ratios = [b / a for a, b in zip(here, other, strict=True)]
    return statistics.quantiles(ratios, n=4, method="inclusive")


def _short(values: Sequence[float]) -> list[float]:
    return [significant(value, 5) for value in values]


class _Sheet:
    """A table, in Markdown, whose rows are printed as they come."""

    def __init__(self, group: Group, console: Console) -> None:
        self._group, self._console = group, console
        names = ["base", *([group.beside_name] if group.beside else [])]
        figures = [f"{name}, {group.unit}" for name in ("here", *names)]
        figures += [word for name in names for word in (f"times as fast as {name}", "quartiles")]
        labels = [self._labels(call) for call in group.calls]
        self._widths = [max(map(len, c)) for c in zip(group.columns, *labels, strict=True)]
        self._words = len(self._widths)
        self._widths += [max(len(name), NARROWEST) for name in figures]
        self._say(f"\n{group.title}, medians")
        self._line([*group.columns, *figures])
        rules = ["-" * (width - 1) for width in self._widths]
        self._line([f"{r}-" if k < self._words else f"{r}:" for k, r in enumerate(rules)])

    def row(self, call: Call, times: dict[str, Times], ratios: dict[str, list[float]]) -> None:
        """Print what was found of a call, and why some of it was not."""
        cells, scale = self._labels(call), self._group.scale
        for found in times.values():
            median = 0.0 if isinstance(found, str) else scale * statistics.median(found)
            cells.append(f"{median:.2f}" if median else "-")
        for quarters in ratios.values():
            low, middle, high = (f"{q:.2f}" for q in quarters) if quarters else "---"
            cells += [middle, f"{low} to {high}" if quarters else "-"]
        self._line(cells)
        for name, values in times.items():
            if isinstance(values, str):
                self._say(f"  no times of {name}: {values}")

    def end(self, ratios: Sequence[float]) -> None:
        """Sum up a table of several rows."""
        if len(ratios) > 1:
            middle = statistics.median(ratios)
            self._say(f"times as fast as base: least {min(ratios):.2f}, median {middle:.2f}")

    def _labels(self, call: Call) -> list[str]:
        return [str(getattr(call, column)) for column in self._group.columns]

    def _line(self, cells: Sequence[str]) -> None:
        padded = (
            cell.ljust(width) if k < self._words else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(cells, self._widths, strict=True))
        )
        self._say(f"| {' | '.join(padded)} |")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)
