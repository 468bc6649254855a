"""The page's first section: the Pareto picture, the summary, where we lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import TOLERANCE, bytes_, duration, factor, listing, percent, plain
from ..results import Timing
from .cells import STATUS, label, labels, show
from .facts import REFERENCE, Facts, first, per_tile, shape
from .pareto import draw_pareto, front, standings

__all__ = ["add_glance"]


def add_glance(page: Page, facts: Facts) -> None:
    """Say in one picture, one table and a few sentences how it went."""
    page.heading(2, "At a glance")
    page.picture("pareto", "Loss against time per tile", draw_pareto(facts))
    if facts.case is not None:
        page.say(
            f"Each point is one contestant on the case *{plain(facts.case)}*: its time per "
            "tile and the mean share of the optimal score that its masks lose. The line is the "
            "Pareto front: nothing is both faster and better than a point on it.",
            "Filled points are ours. The lane at 0 holds those that lose nothing.",
        )
    page.bullets(_front(facts, pattern) for pattern in facts.main)
    _summary(page, facts)
    page.heading(3, "Where we lose")
    if not any(record["contestant"] == REFERENCE for record in (*facts.timings, *facts.quality)):
        page.say(f"These results hold no `{REFERENCE}`, so nothing can be set against it.")
        return
    page.say(f"Every measurement in which something beats `{REFERENCE}`, by contestant:")
    page.bullets([*_faster(facts), *_smaller(facts), *_better(facts)])


def _front(facts: Facts, pattern: str) -> str:
    points = standings(facts, pattern)
    if not points:
        return f"{pattern}: no contestant has both a time and a loss, so none is shown."
    best = listing(
        f"{label(facts, name)} ({duration(seconds)}, {percent(loss)} % lost)"
        for name, seconds, loss in front(points)
    )
    hidden = [name for name in facts.names if name not in {point[0] for point in points}]
    absent = f" Without a point: {labels(facts, hidden)}." if hidden else ""
    return f"{pattern}: on the front, of {len(points)} contestants: {best}.{absent}"


def _summary(page: Page, facts: Facts) -> None:
    pattern = facts.headline
    if pattern is None:
        page.say("Nothing was measured.")
        return
    page.say(f"All contestants in {pattern}, the fastest first; ours are in bold:")
    times = {name: facts.tile(name, pattern) for name in facts.names}
    reference = per_tile(times.get(REFERENCE))

    def order(name: str) -> float:
        seconds = per_tile(times[name])
        return float("inf") if seconds is None else seconds

    def row(name: str) -> list[str]:
        quality = first(facts.quality, name, pattern=pattern, case=facts.case)
        seconds = per_tile(times[name])
        return [
            label(facts, name),
            "yes" if facts.contestants[name]["exact"] else "no",
            show(times[name], lambda record: duration(seconds) if seconds else None),
            factor(seconds / reference) if seconds and reference else "-",
            show(quality, lambda record: _share(record["loss_mean"])),
            show(quality, lambda record: _share(record["loss_worst"])),
            show(quality, lambda record: _share(record["short_lines"])),
        ]

    head = (
        f"contestant | exact | a tile | times `{REFERENCE}` | mean loss, % | worst tile, % | "
        "short lines, %"
    )
    page.table(Table("", head, 2, [row(name) for name in sorted(facts.names, key=order)]))


def _share(value: float | None) -> str | None:
    return None if value is None else percent(value)


def _faster(facts: Facts) -> list[str]:
    def text(theirs: Timing, ours: Timing) -> str:
        return f"{_at(theirs)}: {_tile(theirs)} a tile against {_tile(ours)}"

    tiles = facts.timed("pattern")
    others = [record for record in facts.timings if record["section"] != "pattern"]
    cell = ("section", "case", "pattern", "cores")
    pairs = facts.beside(tiles, per_tile, *cell)
    pairs += facts.beside(others, per_tile, *cell, "rows", "columns")
    return _beaten(facts, pairs, per_tile, text, "faster", "measured times", _noisy)


def _smaller(facts: Facts) -> list[str]:
    def text(theirs: Timing, ours: Timing) -> str:
        return f"{_at(theirs)}: {_memory(theirs)} against {_memory(ours)}"

    cell = ("section", "case", "pattern", "cores", "rows", "columns")
    pairs = facts.beside(facts.timings, _peak, *cell)
    return _beaten(facts, pairs, _peak, text, "smaller in memory", "measured peaks")


def _beaten(
    facts: Facts,
    pairs: list[tuple[Timing, Timing]],
    value: Callable[[Timing], float | None],
    text: Callable[[Timing, Timing], str],
    how: str,
    what: str,
    noisy: Callable[[Timing, Timing], bool] = lambda theirs, ours: False,
) -> list[str]:
    """Sum up the pairs of each contestant by the one that stands out most."""
    ran = Counter(r["contestant"] for r in facts.timings if value(r) is not None)
    if not pairs:
        return [f"Nothing is {how} than `{REFERENCE}` in any of {ran.total()} {what}."]

    def ratio(pair: tuple[Timing, Timing]) -> float:
        theirs, ours = value(pair[0]), value(pair[1])
        return ours / theirs if theirs and ours else float("inf")

    sentences = []
    for name in facts.names:
        those = [pair for pair in pairs if pair[0]["contestant"] == name]
        if not those:
            continue
        most = max(those, key=ratio)
        times = f", {factor(ratio(most))}" if ratio(most) < float("inf") else ""
        close = sum(noisy(*pair) for pair in those)
        doubt = f" ({close} of them within the spread of the measurements)" if close else ""
        sentences.append(
            f"{label(facts, name)} is {how} in {len(those)} of its {ran[name]} {what}{doubt}, "
            f"most in {text(*most)}{times}.{_price(facts, most[0])}"
        )
    return sentences


def _price(facts: Facts, record: Timing) -> str:
    """Say what being faster or smaller costs in quality."""
    loss = facts.loss(record["contestant"], record["pattern"])
    if loss is None:
        judged = first(
            facts.quality, record["contestant"], pattern=record["pattern"], case=facts.case
        )
        if judged is None or judged["status"] == "ok":
            return ""
        return f" Its masks in {record['pattern']}: {STATUS[judged['status']]}."
    return f" Its mean loss in {record['pattern']} is {percent(loss)} %."


def _noisy(theirs: Timing, ours: Timing) -> bool:
    """Say whether the two times a tile, give or take their spreads, overlap."""
    slowest = ((theirs["median"] or 0) + (theirs["spread"] or 0)) / theirs["tiles"]
    fastest = ((ours["median"] or 0) - (ours["spread"] or 0)) / ours["tiles"]
    return slowest >= fastest


def _peak(record: Timing) -> float | None:
    return record["peak_bytes"]


def _tile(record: Timing) -> str:
    return duration(per_tile(record) or 0.0)


def _memory(record: Timing) -> str:
    return bytes_(record["peak_bytes"] or 0)


def _at(record: Timing) -> str:
    cores = "1 core" if record["cores"] == 1 else f"{record['cores']} cores"
    return f"{record['pattern']} on {shape(record)}, {cores}"


def _better(facts: Facts) -> list[str]:
    """Say who scores above the optimum of exactly n, and whether `exact` ever loses."""
    found = []
    lost = [
        record
        for record in facts.quality
        if record["contestant"] == REFERENCE and (record["loss_mean"] or 0) > TOLERANCE
    ]
    if lost:
        worst = max(lost, key=lambda record: record["loss_mean"] or 0)
        found.append(
            f"`{REFERENCE}` itself loses in {len(lost)} of the cases, most in "
            f"{worst['pattern']} on *{plain(worst['case'])}*: {_share(worst['loss_mean'])} %."
        )
    for name in facts.names:
        above = [
            record
            for record in facts.quality
            if record["contestant"] == name
            and record["status"] == "ok"
            and (record["loss_mean"] or 0) < -TOLERANCE
        ]
        if above:
            most = min(above, key=lambda record: record["loss_mean"] or 0)
            short = _share(most["short_lines"])
            found.append(
                f"{label(facts, name)} keeps more than the best mask of exactly n in "
                f"{len(above)} judged cases, most in {most['pattern']} on "
                f"*{plain(most['case'])}*: {percent(-(most['loss_mean'] or 0))} %"
                + (f", with {short} % of its lines short of n. " if short else ". ")
                + "Scores can be higher where lines may hold fewer: its loss is negative there."
            )
    ran = sum(r["loss_mean"] is not None and r["status"] == "ok" for r in facts.quality)
    nothing = f"Nothing keeps more than `{REFERENCE}` in any of {ran} measured losses."
    return found or [nothing]
