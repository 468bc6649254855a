"""What masks cost a training loop, ours and as papers print it."""

from __future__ import annotations

from collections.abc import Sequence

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import duration, listing, number, percent, plain
from ..published import Published
from ..results import Training
from .cells import gaps, label, labels, show
from .facts import REFERENCE, Facts, first, key_of
from .overheads import draw_overheads

__all__ = ["add_published", "add_training"]


def add_training(page: Page, facts: Facts, published: Sequence[Published]) -> None:
    """Add the training loop, with the overheads that papers print."""
    page.heading(2, "Overhead in training")
    theirs = [figure for figure in published if figure.quantity == "overhead"]
    if not facts.training:
        page.say("No training loop was run.")
    for pattern in sorted({record["pattern"] for record in facts.training}, key=key_of):
        _pattern(page, facts, pattern, theirs)
    for paper in dict.fromkeys(figure.paper for figure in theirs):
        those = [figure for figure in theirs if figure.paper == paper]
        values = listing(f"{plain(f.method)} {f.value:g} {plain(f.unit)}" for f in those)
        where = f"{plain(those[0].size)}{_every(those[0])}, {plain(those[0].where)}"
        page.say(
            f"As printed by {plain(paper)}, on their machine and network ({where}): {values}. "
            "Another network, another machine: they show the order of magnitude, not a race."
        )


def _every(figure: Published) -> str:
    return f", masks renewed every {figure.every} steps" if figure.every else ""


def _pattern(page: Page, facts: Facts, pattern: str, theirs: Sequence[Published]) -> None:
    records = [record for record in facts.training if record["pattern"] == pattern]
    intervals = sorted({record["every"] for record in records if record["every"] is not None})
    name = f"overhead-{pattern.replace(':', '-')}"
    shows = f"What renewing {pattern} masks adds to a training step"
    page.picture(name, shows, draw_overheads(facts, pattern, intervals, theirs))
    page.say(
        f"A step of training with {pattern} masks. Beside each time: what renewing adds to the "
        "same loop that never renews, give or take the spread of the measurement."
    )
    rows = []
    dense = facts.dense(pattern)
    if dense is not None:
        step = show(dense, lambda r: duration(r["median"]) if r["median"] else None)
        rows.append([f"*{plain(dense['contestant'])}*, no masks", step, *["-"] * len(intervals)])
    took_part = [name for name in facts.names if any(r["contestant"] == name for r in records)]
    for name in took_part:
        cells = []
        for every in (None, *intervals):
            # Who did not get as far as a loop has one record for all of them.
            record = first(records, name, every=every) or first(records, name)
            cells.append(show(record, _step) if record and _told(record, every) else "not run")
        rows.append([label(facts, name), *cells])
    head = ["contestant", "never renewed", *(f"every {every}" for every in intervals)]
    page.table(Table("", head, rows=rows))
    missing = gaps(facts, records, lambda record: record["pattern"])
    page.bullets([*_cheapest(facts, records, intervals), *missing])


def _told(record: Training, every: int | None) -> bool:
    return record["status"] != "ok" or record["every"] == every


def _step(record: Training) -> str | None:
    median, share, spread = record["median"], record["overhead"], record["spread"]
    if not median:
        return None
    if share is None:
        return duration(median)
    # The spread is of the step as it is; the share is of the step without renewals.
    give = "" if spread is None else f" ± {number(100 * spread / median * (1 + share))}"
    return f"{duration(median)} ({'+' * (share > 0)}{percent(share)}{give} %)"


def _cheapest(facts: Facts, records: Sequence[Training], intervals: Sequence[int]) -> list[str]:
    """Say who adds least, where `REFERENCE` stands, and what drowns in the noise."""
    found = []
    for every in intervals:
        ran = sorted(
            [r for r in records if r["every"] == every and r["overhead"] is not None],
            key=lambda r: r["overhead"] or 0,
        )
        if not ran:
            continue
        least, most = ran[0], ran[-1]
        often = "step" if every == 1 else f"{every} steps"
        text = f"Every {often}: {label(facts, least['contestant'])} adds least, {_share(least)} %"
        if most is not least:
            text += f"; {label(facts, most['contestant'])} most, {_share(most)} %"
        mine = next((r for r in ran if r["contestant"] == REFERENCE), None)
        if mine is not None and mine is not least:
            text += f"; `{REFERENCE}` adds {_share(mine)} %"
        noise = [r["contestant"] for r in ran if _noisy(r)]
        lost = f" Within the noise of the measurement: {labels(facts, noise)}." if noise else ""
        found.append(f"{text}.{lost}")
    return found


def _share(record: Training) -> str:
    return percent(record["overhead"] or 0)


def _noisy(record: Training) -> bool:
    share, median = record["overhead"] or 0, record["median"] or 0
    added = median - median / (1 + share) if share > -1 else median
    return abs(added) <= 2 * (record["spread"] or 0)


def add_published(page: Page, published: Sequence[Published]) -> None:
    """Add the figures that papers print, as theirs."""
    page.heading(2, "Figures that papers print")
    if not published:
        page.say("None are recorded.")
        return
    page.say(
        "These are the papers' own, on the papers' own machines. None was measured here, so "
        "none may be divided by a figure from above."
    )
    rows = [
        [
            plain(f.paper),
            plain(f.method),
            f.quantity,
            plain(f.size) + _every(f),
            f.pattern or "-",
            f"{f.value:g} {plain(f.unit)}",
            plain(f.hardware),
            plain(f.where),
        ]
        for f in published
    ]
    head = "paper | method | quantity | of | pattern | value | hardware | where"
    page.table(Table("", head, 8, rows))
