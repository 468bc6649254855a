"""What tables and the sentences under them have in common: names, statuses, gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ..pages.words import listing, plain
from ..results import Agreement, Outcome, Quality, Status, Timing, Training
from .facts import Facts

__all__ = ["STATUS", "gaps", "label", "labels", "show", "why_nothing"]

Record = TypeVar("Record", Timing, Quality, Agreement, Training)

ABSENT = "not run"
UNMEASURED = "not measured"
STATUS: dict[Status, str] = {
    "ok": "ran",
    "missing": "not installed",
    "cut off": "cut off",
    "too slow": "too slow",
    "failed": "failed",
    "invalid": "invalid",
    "does not fit": "does not fit",
}
"""What a table's cell says instead of a number."""


def label(facts: Facts, name: str) -> str:
    """Write a contestant's name, ours in bold."""
    return f"**{plain(name)}**" if name in facts.names and facts.ours(name) else plain(name)


def labels(facts: Facts, names: Iterable[str], most: int | None = None) -> str:
    """Write some contestants' names in a sentence."""
    return listing((label(facts, name) for name in names), most)


def show(record: Record | None, write: Callable[[Record], str | None]) -> str:
    """Fill a cell: what `write` makes of the record, or why there is nothing."""
    if record is None or record["status"] != "ok":
        return why_nothing(record)
    return write(record) or UNMEASURED


def why_nothing(record: Outcome | None) -> str:
    """Say in a word or two why there is no figure where one was looked for."""
    return ABSENT if record is None or record["status"] == "ok" else STATUS[record["status"]]


def gaps(
    facts: Facts,
    records: Sequence[Record],
    where: Callable[[Record], str],
    names: Iterable[str] | None = None,
) -> list[str]:
    """Name what did not run, where and why: one sentence for a contestant and a status."""
    sentences = []
    for name in facts.names:
        mine = [record for record in records if record["contestant"] == name]
        for status in dict.fromkeys(record["status"] for record in mine):
            those = [record for record in mine if record["status"] == status]
            if status != "ok":
                # Somebody who never ran here needs no list of places.
                places = listing(dict.fromkeys(map(where, those)), most=7)
                at = f" in {places}" if len(those) < len(mine) else ""
                reasons = list(dict.fromkeys(record["reason"] for record in those))
                more = f"; and {len(reasons) - 1} more like it" if len(reasons) > 1 else ""
                why = f" ({plain(reasons[0])}{more})" if reasons[0] else ""
                sentences.append(f"{label(facts, name)}: {STATUS[status]}{at}{why}.")
    ran = {record["contestant"] for record in records}
    absent = [name for name in (facts.names if names is None else names) if name not in ran]
    if absent:
        sentences.append(f"Not run here: {labels(facts, absent)}.")
    return sentences
