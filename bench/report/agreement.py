"""Whether the exact methods agree."""

from __future__ import annotations

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import listing, plain
from .cells import gaps, label, labels, show
from .facts import Facts, first, key_of

__all__ = ["add_agreement"]


def add_agreement(page: Page, facts: Facts) -> None:
    """Add how many tiles each exact method got right, and who missed any."""
    page.heading(2, "Agreement of the exact methods")
    records = facts.agreement
    if not records:
        page.say("The exact methods were not compared tile by tile.")
        return
    patterns = sorted({record["pattern"] for record in records}, key=key_of)
    there = {record["case"] for record in records}
    page.say(
        "Tiles whose score is within 1e-6 of the proven optimum, and the largest loss; on "
        f"{listing(f'*{plain(case)}*' for case in facts.cases if case in there)}:"
    )
    compared = {record["contestant"] for record in records}
    exact = [n for n in facts.names if n in compared or facts.contestants[n]["exact"]]
    rows = [[label(facts, n), *(_agreeing(facts, n, p) for p in patterns)] for n in exact]
    page.table(Table("", ["contestant", *patterns], rows=rows))
    ran = [record for record in records if record["agreeing"] is not None]
    off = [record for record in ran if record["agreeing"] != record["tiles"]]
    if ran and not off:
        agreed = labels(facts, dict.fromkeys(record["contestant"] for record in ran))
        page.say(f"On every tile that they solved, these reach the optimum: {agreed}.")
    missed = [
        f"{label(facts, r['contestant'])} misses the optimum of "
        f"{r['tiles'] - (r['agreeing'] or 0):,} tiles in {r['pattern']} on "
        f"{plain(r['case'])}."
        for r in off
    ]
    where = gaps(facts, records, lambda r: f"{r['pattern']} on {plain(r['case'])}", exact)
    page.bullets([*missed, *where])


def _agreeing(facts: Facts, name: str, pattern: str) -> str:
    """Add up a contestant's cases."""
    mine = [r for r in facts.agreement if (r["contestant"], r["pattern"]) == (name, pattern)]
    ran = [r for r in mine if r["agreeing"] is not None]
    if not ran:
        return show(first(mine, name), lambda record: None)
    agreeing, tiles = sum(r["agreeing"] or 0 for r in ran), sum(r["tiles"] for r in ran)
    losses = [r["largest_loss"] for r in ran if r["largest_loss"] is not None]
    largest = f" ({max(losses):.2g})" if losses else ""
    return f"{agreeing:,} of {tiles:,}{largest}"
