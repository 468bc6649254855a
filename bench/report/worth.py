"""Quality: what masks lose, which lines are short, how near the bounds they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import TOLERANCE, listing, number, percent, plain
from ..results import Quality
from .cells import gaps, label, labels, show
from .facts import Facts, first, key_of
from .losses import draw_losses

__all__ = ["add_quality"]

KEPT_BOUND, PRUNED_BOUND = 0.5, 2.0
"""A greedy keeps at least the one; a 2-approximation prunes at most the other."""


def add_quality(page: Page, facts: Facts) -> None:
    """Add what the masks were worth."""
    page.heading(2, "Quality")
    if not facts.quality:
        page.say("No masks were judged.")
        return
    page.say(
        "The loss of a tile is 1 - kept / optimum. A mask with short lines can keep more than "
        "the best mask of exactly n, and its loss is then negative.",
        _proofs(facts.quality),
    )
    page.picture("losses", "What single tiles lose", draw_losses(facts))
    patterns = sorted({record["pattern"] for record in facts.quality}, key=key_of)
    page.heading(3, "Loss by case")
    page.say("In each cell: mean loss / worst tile, both in %.")
    for pattern in patterns:
        _losses(page, facts, pattern)
    page.heading(3, "Short lines and validity")
    _lines(page, facts, patterns)
    page.heading(3, "Worst cases against the bounds")
    _bounds(page, facts)


def _proofs(records: Sequence[Quality]) -> str:
    ran = [record for record in records if record["status"] == "ok"]
    bare = list(
        dict.fromkeys(f"{r['pattern']} on {plain(r['case'])}" for r in ran if not r["proven"])
    )
    if not ran:
        return ""
    if not bare:
        return "Every optimum here is proven."
    return f"Not every optimum is proven in {listing(bare, most=6)}."


def _losses(page: Page, facts: Facts, pattern: str) -> None:
    records = [record for record in facts.quality if record["pattern"] == pattern]
    cases = [case for case in facts.cases if any(r["case"] == case for r in records)]
    page.heading(4, pattern)
    rows = [
        [label(facts, n), *(show(first(records, n, case=case), _loss) for case in cases)]
        for n in facts.names
    ]
    page.table(Table("", ["contestant", *map(plain, cases)], rows=rows))
    page.bullets([*_extremes(facts, records), *gaps(facts, records, lambda r: plain(r["case"]))])


def _loss(record: Quality) -> str | None:
    mean, worst = record["loss_mean"], record["loss_worst"]
    if mean is None:
        return None
    return f"{percent(mean)} / {'not measured' if worst is None else percent(worst)}"


def _extremes(facts: Facts, records: Sequence[Quality]) -> list[str]:
    """Say who never loses, which of the others loses least, and the worst tile of all."""
    means: dict[str, list[float]] = {}
    for record in records:
        if record["status"] == "ok" and record["loss_mean"] is not None:
            means.setdefault(record["contestant"], []).append(record["loss_mean"])
    if not means:
        return []
    never = [n for n in facts.names if n in means and max(map(abs, means[n])) <= TOLERANCE]
    said = [f"No loss on any case: {labels(facts, never) or 'nobody'}."]
    most = max(map(len, means.values()))
    average = {n: sum(v) / len(v) for n, v in means.items() if n not in never and len(v) == most}
    above = [name for name in facts.names if average.get(name, 0) < 0]
    if above:
        said.append(f"On average above the best mask of exactly n: {labels(facts, above)}.")
    lossy = {name: loss for name, loss in average.items() if name not in above}
    if lossy:
        best, worst = min(lossy, key=lossy.__getitem__), max(lossy, key=lossy.__getitem__)
        more = f"; {label(facts, worst)} most, {percent(lossy[worst])} %" if best != worst else ""
        said.append(
            f"Of those that lose, on average over {most} cases: {label(facts, best)} loses "
            f"least, {percent(lossy[best])} %{more}."
        )
    tiles = [r for r in records if r["status"] == "ok" and (r["loss_worst"] or 0) > TOLERANCE]
    if tiles:
        bad = max(tiles, key=lambda r: r["loss_worst"] or 0)
        said.append(
            f"The worst tile is {label(facts, bad['contestant'])}'s on *{plain(bad['case'])}*: "
            f"{percent(bad['loss_worst'] or 0)} %."
        )
    fewer = _fewer(facts, records)
    return [*said, fewer] if fewer else said


def _fewer(facts: Facts, records: Sequence[Quality]) -> str:
    ran = [record for record in records if record["status"] == "ok"]
    most = max((record["tiles"] for record in ran), default=0)
    least: dict[str, int] = {}
    for record in ran:
        name = record["contestant"]
        least[name] = min(least.get(name, most), record["tiles"])
    few = [f"{label(facts, n)} {least[n]}" for n in facts.names if least.get(n, most) < most]
    return f"Judged on fewer than {most} tiles a case: {listing(few)}." if few else ""


def _lines(page: Page, facts: Facts, patterns: Sequence[str]) -> None:
    page.say("The largest share of short lines on any case, in %, and whether masks are valid:")

    def most(record: Quality) -> str | None:
        return None if record["short_lines"] is None else percent(record["short_lines"])

    rows = []
    for name in facts.names:
        cells = []
        for pattern in patterns:
            those = [r for r in facts.quality if r["pattern"] == pattern]
            mine = [r for r in those if r["contestant"] == name and r["status"] == "ok"]
            short = max(mine, key=lambda r: r["short_lines"] or 0, default=None)
            cells.append(show(short or first(those, name), most))
        rows.append([label(facts, name), *cells, _validity(facts, name)])
    page.table(Table("", ["contestant", *patterns, "no line holds more than n"], rows=rows))
    full = [name for name in facts.names if _always_full(facts, name)]
    if full:
        page.say(f"Every line of every mask holds exactly n: {labels(facts, full)}.")


def _validity(facts: Facts, name: str) -> str:
    mine = [r for r in facts.quality if r["contestant"] == name and r["rows_valid"] is not None]
    if not mine:
        return "not measured"
    bad = [
        f"{side} in {r['pattern']} on {plain(r['case'])}"
        for r in mine
        for side, valid in (("rows", r["rows_valid"]), ("columns", r["columns_valid"]))
        if not valid
    ]
    if bad:
        return f"broken: {listing(bad, most=4)}"
    return f"rows and columns, {len(mine)} of {len(mine)}"


def _always_full(facts: Facts, name: str) -> bool:
    mine = [r for r in facts.quality if r["contestant"] == name]
    known = [r for r in mine if r["short_lines"] is not None]
    return bool(known) and all(r["status"] == "ok" and r["short_lines"] == 0 for r in known)


def _bounds(page: Page, facts: Facts) -> None:
    page.say(
        f"A greedy keeps at least {KEPT_BOUND:g} times the optimum where lines may hold fewer; "
        f"a 2-approximation prunes at most {PRUNED_BOUND:g} times the optimum's pruned score. "
        "The worst single tiles of all cases:"
    )
    rows, kept, pruned = [], [], []
    for name in facts.names:
        low = _worst(facts, name, lambda r: r["kept_ratio_worst"], least=True)
        high = _worst(facts, name, lambda r: r["pruned_ratio_worst"], least=False)
        promised = plain(facts.contestants[name]["guarantee"]) or "none stated"
        rows.append([label(facts, name), *low[1:], *high[1:], promised])
        if low[0] is not None and low[0] < KEPT_BOUND - TOLERANCE:
            kept.append(name)
        if high[0] is not None and high[0] > PRUNED_BOUND + TOLERANCE:
            pruned.append(name)
    head = (
        "contestant | smallest kept / optimum | where | largest pruned / optimum's | where | "
        "guarantee"
    )
    page.table(Table("", head, rows=rows))
    less, more = (
        "keeps less than half of the optimum",
        "prunes more than twice what the optimum prunes",
    )
    found = {less: kept, more: pruned}.items()
    page.bullets(f"Some tile {what}: {labels(facts, names) or 'nobody'}." for what, names in found)


def _worst(
    facts: Facts, name: str, value: Callable[[Quality], float | None], *, least: bool
) -> tuple[float | None, str, str]:
    found = [
        (ratio, record)
        for record in facts.quality
        if record["contestant"] == name
        and record["status"] == "ok"
        and (ratio := value(record)) is not None
    ]
    if not found:
        return None, "not measured", "-"
    ratio, record = (min if least else max)(found, key=lambda pair: pair[0])
    return ratio, number(ratio), f"{record['pattern']}, {plain(record['case'])}"
