"""Two result files side by side: what became slower, what became worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .results import Results

__all__ = ["Change", "compare", "differences"]

LEAST = 1e-4
"""Losses that differ by less are not worth a line."""


class Change(NamedTuple):
    """One figure that both files hold.

    ``clear``: whether it moved by more than both spreads together (times), or at all
    (losses).
    """

    section: str
    what: str
    before: float
    after: float
    unit: str
    clear: bool


def compare(before: Results, after: Results) -> list[Change]:
    """List times and mean losses that both files hold, times first."""
    return [*_times(before, after), *_losses(before, after)]


def differences(before: Results, after: Results) -> list[str]:
    """Say what makes the files hard to compare, and who ran before and does not any more."""
    found = [
        f"{key}: {before[part].get(key)} before, {after[part].get(key)} after"  # type: ignore[literal-required]
        for part, keys in (("machine", ("cpu", "cores", "commit")), ("settings", ("size",)))
        for key in keys
        if before[part].get(key) != after[part].get(key)  # type: ignore[literal-required]
    ]
    keys = ("section", "contestant", "pattern", "rows", "columns", "cores")
    found += [
        f"{_name(b, keys)}: {b['status']} now, {b['reason']}"
        for a, b in _pairs(before["timings"], after["timings"], keys)
        if a["status"] == "ok" != b["status"]
    ]
    return found


def _times(before: Results, after: Results) -> Iterator[Change]:
    for section, keys in (
        ("timings", ("section", "contestant", "pattern", "rows", "columns", "cores")),
        ("training", ("contestant", "pattern", "every")),
    ):
        for a, b in _pairs(before[section], after[section], keys):  # type: ignore[literal-required]
            if a["median"] is not None and b["median"] is not None:
                noise = (a["spread"] or 0.0) + (b["spread"] or 0.0)
                x, y = a["median"], b["median"]
                yield Change(section, _name(a, keys), x, y, "s", abs(y - x) > noise)


def _losses(before: Results, after: Results) -> Iterator[Change]:
    keys = ("contestant", "case", "pattern", "tiles")
    for a, b in _pairs(before["quality"], after["quality"], keys):
        x, y = a["loss_mean"], b["loss_mean"]
        if x is not None and y is not None:
            yield Change("quality", _name(a, keys), x, y, "", abs(y - x) > LEAST)


def _pairs(
    before: Iterable[Any], after: Iterable[Any], keys: tuple[str, ...]
) -> Iterator[tuple[Any, Any]]:
    known = {tuple(record[key] for key in keys): record for record in before}
    for record in after:
        match = known.get(tuple(record[key] for key in keys))
        if match is not None:
            yield match, record


def _name(record: Any, keys: tuple[str, ...]) -> str:
    """Names speak for themselves, numbers need their key."""
    values = ((key, record[key]) for key in keys)
    return ", ".join(v if isinstance(v, str) else f"{key} {v}" for key, v in values)
