"""Times and memory: tables, curves, and who is fastest where."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..pages.page import Page
from ..pages.table import Table
from ..pages.words import bytes_, duration, factor, listing, number, plain
from ..published import Published
from ..results import Timing
from .cells import gaps, label, labels, show
from .curves import draw_cores, draw_memory, draw_patterns, draw_sizes
from .facts import REFERENCE, Facts, first, key_of, per_tile, shape

__all__ = ["add_speed"]

Value = Callable[[Timing], float | None]


def add_speed(page: Page, facts: Facts, published: Sequence[Published] = ()) -> None:
    """Add everything that was timed."""
    page.heading(2, "Time and memory")
    page.say(
        "Medians of rounds in which the contestants take turns. Beside each figure stands how "
        f"many times that of `{REFERENCE}` it is. A cell without a figure says why."
    )
    _tiles(page, facts)
    _matrices(page, facts, published)
    _cores(page, facts)
    _memory(page, facts)


def _tiles(page: Page, facts: Facts) -> None:
    page.heading(3, "By pattern")
    records = facts.timed("pattern")
    page.picture("patterns", "Time for one tile, by M", draw_patterns(facts))
    for case in dict.fromkeys(record["case"] for record in records):
        those = [record for record in records if record["case"] == case]
        patterns = sorted({record["pattern"] for record in those}, key=key_of)
        page.say(f"Time for one tile on the case *{plain(case)}*; slow contestants get fewer:")
        _table(page, facts, those, "pattern", patterns, per_tile, duration)
        page.bullets(
            _ranking(facts, [r for r in those if r["pattern"] == pattern], pattern)
            for pattern in patterns
        )
        page.bullets(gaps(facts, those, lambda record: record["pattern"]))


def _matrices(page: Page, facts: Facts, published: Sequence[Published]) -> None:
    page.heading(3, "By size")
    page.picture("sizes", "Time for a whole matrix, by its size", draw_sizes(facts))
    records = sorted(facts.timed("size"), key=lambda r: (r["rows"] * r["columns"], r["rows"]))
    groups = sorted({(key_of(r["pattern"]), r["pattern"], r["case"]) for r in records})
    for _, pattern, case in groups:
        those = [r for r in records if (r["pattern"], r["case"]) == (pattern, case)]
        sizes = list(dict.fromkeys(map(shape, those)))
        page.say(f"Time for a whole matrix in {pattern}, case *{plain(case)}*:")
        _table(page, facts, those, "size", sizes, _median, duration, shape)
        page.bullets([_growth(those), *gaps(facts, those, shape)])
    _printed(page, [figure for figure in published if figure.quantity == "time"])


def _printed(page: Page, published: Sequence[Published]) -> None:
    """Set beside them what papers print for such matrices."""
    for paper, pattern in dict.fromkeys((f.paper, f.pattern) for f in published):
        those = [f for f in published if (f.paper, f.pattern) == (paper, pattern)]
        methods = []
        for method, hardware in dict.fromkeys((f.method, f.hardware) for f in those):
            times = listing(
                f"{f.value:g} {plain(f.unit)} on {plain(f.size)}"
                for f in those
                if (f.method, f.hardware) == (method, hardware)
            )
            methods.append(f"{plain(method)} ({plain(hardware)}) {times}")
        page.say(
            f"As printed by {plain(paper)}, on their machines, in {pattern} "
            f"({plain(those[0].where)}): {'; '.join(methods)}. None of it was measured here."
        )


def _cores(page: Page, facts: Facts) -> None:
    page.heading(3, "By cores")
    page.picture("cores", "Time for one tile, by cores", draw_cores(facts))
    records = sorted(facts.timed("cores"), key=lambda r: (key_of(r["pattern"]), r["cores"]))
    for pattern, case in dict.fromkeys((r["pattern"], r["case"]) for r in records):
        those = [r for r in records if (r["pattern"], r["case"]) == (pattern, case)]
        cores = sorted({record["cores"] for record in those})
        page.say(f"Time for one tile in {pattern}, case *{plain(case)}*, with so many cores:")
        _table(page, facts, those, "cores", cores, per_tile, duration)
        gained = [
            f"{label(facts, name)} {factor(one / more)}"
            for name in facts.names
            if (one := per_tile(first(those, name, cores=cores[0])))
            and (more := per_tile(first(those, name, cores=cores[-1])))
        ]
        if len(cores) > 1 and gained:
            page.say(f"Gained by {cores[-1]} cores instead of {cores[0]}: {listing(gained)}.")
        page.bullets(gaps(facts, those, lambda r: f"{r['cores']} cores"))


def _memory(page: Page, facts: Facts) -> None:
    page.heading(3, "Peak memory")
    page.picture("memory", "Peak memory of a call, input aside", draw_memory(facts))
    records = facts.timed("pattern")
    for case in dict.fromkeys(record["case"] for record in records):
        those = [record for record in records if record["case"] == case]
        patterns = sorted({record["pattern"] for record in those}, key=key_of)
        page.say(
            f"Peak memory of a call, input aside, in bytes a weight, case *{plain(case)}*. "
            "Memory of other processes, such as PuLP's CBC, is not counted:"
        )
        _table(page, facts, those, "pattern", patterns, _per_weight, number)
    sized = [record for record in facts.timed("size") if record["pattern"] == facts.headline]
    largest = max(
        sized, key=lambda r: r["rows"] * r["columns"] * (_peak(r) is not None), default=None
    )
    if largest is not None and _peak(largest) is not None:
        peers = [r for r in sized if shape(r) == shape(largest) and _peak(r) is not None]
        ranked = sorted(peers, key=lambda r: _peak(r) or 0)
        found = (f"{label(facts, r['contestant'])} {bytes_(_peak(r) or 0)}" for r in ranked)
        page.say(f"On {shape(largest)} in {facts.headline}: {listing(found)}.")
    none = [n for n in facts.names if any(_peak(r) == 0 for r in sized if r["contestant"] == n)]
    if none:
        page.say(
            f"Too little to be seen on some size, 0 B, and so not drawn there: "
            f"{labels(facts, none)}."
        )


def _table(
    page: Page,
    facts: Facts,
    records: Sequence[Timing],
    field: str,
    columns: Sequence[object],
    value: Value,
    write: Callable[[float], str],
    place: Callable[[Timing], object] | None = None,
) -> None:
    """Add a table of a row for each contestant and a column for each place."""

    def at(record: Timing) -> object:
        return place(record) if place else record.get(field)

    def cell(name: str, column: object) -> str:
        there = [record for record in records if at(record) == column]
        reference = first(there, REFERENCE)
        base = value(reference) if reference else None
        return show(first(there, name), lambda record: _times(value(record), base, name, write))

    rows = [[label(facts, n), *(cell(n, column) for column in columns)] for n in facts.names]
    page.table(Table("", ["contestant", *map(str, columns)], rows=rows))


def _times(
    value: float | None, base: float | None, name: str, write: Callable[[float], str]
) -> str | None:
    if value is None:
        return None
    beside = f" ({factor(value / base)})" if base and name != REFERENCE else ""
    return write(value) + beside


def _ranking(facts: Facts, records: Sequence[Timing], pattern: str) -> str:
    """Say who is fastest, who comes next, who is slowest, and the next of the exact."""
    ran = [(seconds, r["contestant"]) for r in records if (seconds := per_tile(r)) is not None]
    if not ran:
        return f"{pattern}: nothing was measured."
    ran.sort(key=lambda pair: pair[0])
    best, winner = ran[0]
    text = f"{pattern}: {label(facts, winner)} is the fastest, {duration(best)} a tile"
    if len(ran) > 1:
        text += f"; next is {label(facts, ran[1][1])}, {_more(ran[1][0], best)}"
    if len(ran) > 2:
        text += f"; the slowest is {label(facts, ran[-1][1])}, {_more(ran[-1][0], best)}"
    mine = next((seconds for seconds, name in ran if name == REFERENCE), None)
    exact = [p for p in ran if facts.contestants[p[1]]["exact"] and p[1] != REFERENCE]
    if mine and exact:
        text += (
            f". Of the other exact ones {label(facts, exact[0][1])} is the fastest: "
            f"{factor(exact[0][0] / mine)} the time of `{REFERENCE}`"
        )
    return f"{text}."


def _more(seconds: float, best: float) -> str:
    return f"{factor(seconds / best)} its time" if best else duration(seconds)


def _growth(records: Sequence[Timing]) -> str:
    """Say how the reference grows from the smallest to the largest matrix, and who beats it."""
    mine = [r for r in records if r["contestant"] == REFERENCE and r["median"]]
    if not mine:
        return f"`{REFERENCE}` was not measured here."
    small, large = mine[0], mine[-1]
    weights = large["rows"] * large["columns"] / (small["rows"] * small["columns"])
    times = (large["median"] or 0) / (small["median"] or 1)
    text = (
        f"From {shape(small)} to {shape(large)}, {number(weights)} times the weights, "
        f"`{REFERENCE}` takes {factor(times)} the time. "
    )
    best: dict[str, list[str]] = {}
    for record in mine:
        peers = [r for r in records if shape(r) == shape(record) and r["median"] is not None]
        winner = min(peers, key=lambda r: r["median"] or 0)["contestant"]
        best.setdefault(winner, []).append(shape(record))
    if list(best) == [REFERENCE]:
        return text + "It is the fastest on every size."
    found = (f"{plain(name)} on {listing(sizes, most=3)}" for name, sizes in best.items())
    return text + f"The fastest: {'; '.join(found)}."


def _median(record: Timing) -> float | None:
    return record["median"]


def _peak(record: Timing) -> float | None:
    return record["peak_bytes"]


def _per_weight(record: Timing) -> float | None:
    peak = record["peak_bytes"]
    return None if peak is None else peak / (record["rows"] * record["columns"])
