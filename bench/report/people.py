"""Who took part, what was solved, and where it was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import bytes_, listing, plain
from ..results import Status
from .cells import STATUS, label
from .facts import Facts

__all__ = ["add_people", "add_setting"]

TROUBLE: tuple[Status, ...] = ("failed", "cut off", "invalid")


def add_people(page: Page, facts: Facts) -> None:
    """List the contestants, ours and the others, and the cases."""
    page.heading(2, "Who took part")
    if not facts.names:
        page.say("Nobody.")
    for title, mine in (("Ours", True), ("Others", False)):
        names = [name for name in facts.names if facts.ours(name) == mine]
        if names:
            page.heading(3, title)
            rows = [_person(facts, name) for name in names]
            head = "name | exact | takes | guarantee | reference | quirks | status"
            page.table(Table("", head, 7, rows))
    if any(not facts.ours(name) for name in facts.names):
        page.say(
            "The others are run as their users run them. One without a guarantee here may well "
            "have one in its paper."
        )
    _cases(page, facts)


def _person(facts: Facts, name: str) -> list[str]:
    record = facts.contestants[name]
    return [
        label(facts, name),
        "yes" if record["exact"] else "no",
        plain(record["takes"]) or "-",
        plain(record["guarantee"]) or "none stated",
        plain(record["reference"]) or "-",
        plain(record["quirks"]) or "-",
        _status(facts, name),
    ]


def _status(facts: Facts, name: str) -> str:
    """Say whether it ran, and what went wrong anywhere; "too slow" is for the tables."""
    record = facts.contestants[name]
    if record["status"] != "ok":
        why = f": {plain(record['reason'])}" if record["reason"] else ""
        return STATUS[record["status"]] + why
    records = (*facts.timings, *facts.quality, *facts.agreement, *facts.training)
    met = {r["status"] for r in records if r["contestant"] == name}
    wrong = [STATUS[status] for status in TROUBLE if status in met]
    if not wrong:
        return STATUS["ok"]
    return f"ran; elsewhere {listing(wrong)}" if "ok" in met else listing(wrong)


def _cases(page: Page, facts: Facts) -> None:
    page.heading(3, "Cases")
    if not facts.cases:
        page.say("None.")
        return
    listed = {record["case"]: record for record in facts.results["cases"]}
    rows = []
    for case in facts.cases:
        record = listed.get(case)
        status = STATUS[record["status"]] if record else STATUS["ok"]
        why = f": {plain(record['reason'])}" if record and record["reason"] else ""
        rows.append([plain(case), plain(record["description"]) if record else "-", status + why])
    page.table(Table("", "case | scores | status", 3, rows))


def add_setting(page: Page, facts: Facts) -> None:
    """Write down the machine, the versions and the settings."""
    page.heading(2, "Machine, versions and settings")
    for title, values in (
        ("machine", facts.results["machine"]),
        ("version", facts.results["versions"]),
        ("setting", facts.results["settings"]),
    ):
        if values:
            rows = [
                [plain(key.removesuffix("_bytes").replace("_", " ")), _value(key, values[key])]
                for key in values
            ]
            page.table(Table("", [title, ""], 2, rows))
        else:
            page.say(f"No {title} was recorded.")


def _value(key: str, value: Any) -> str:
    if key.endswith("bytes") and isinstance(value, int):
        return bytes_(value)
    if isinstance(value, Iterable) and not isinstance(value, str | dict):
        return plain(listing(map(str, value)))
    return plain(value)
