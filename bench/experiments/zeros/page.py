"""The page: which zeros survive, and the recipe for those that would not."""

from __future__ import annotations

from collections.abc import Iterator

from ...pages.findings import where
from ...pages.page import Page
from ...pages.table import Table
from ...pages.words import listing, percent, plain
from .reader import Reader
from .texts import CODE, DONE, INSTALL, RECIPES
from .ways import WAYS

__all__ = ["fill"]


def fill(page: Page, reader: Reader) -> None:
    """Write what becomes of zeros, and what keeps them, onto a page."""
    page.heading(1, "Zeros that survive")
    page.say(
        "A model is pruned to 2:4, and then cast, quantised, merged, averaged or trained on. "
        "What becomes of its zeros? One that comes back as a small number makes the weight "
        "dense: no sparse kernel takes it. Each tool was asked itself."
    )
    page.heading(2, "In short")
    page.bullets(_in_short(reader))
    page.heading(2, "What keeps them")
    page.bullets(RECIPES)
    page.heading(2, "Moved, or broken?")
    page.say(
        "A line that holds more than N nonzeros may hold numbers that are almost zero, which "
        "arithmetic has left there, or weights that were never pruned. "
        "`masksolve check FILE --pattern 2:4 --nearly 1e-6` tells one from the other, and so does "
        "{func}`~masksolve.inspect_zeros`. Nearly zero is what is at most so many times the "
        "largest weight of its tensor: what rounding leaves grows with the weights around it, so "
        "one number does for all tensors of a model. The exit code is 0 if what is nearly "
        "zero is all that is too much, and each such tensor is named. Setting it to zero is "
        "left to you:"
    )
    page.say(f"```pycon\n{CODE}\n```")  # doctest wants the empty line at its end
    page.heading(2, "Every tool")
    groups = list(dict.fromkeys(way.group for way in WAYS.values()))
    for group in groups:
        if any(WAYS[name].group == group for name in reader.outcomes):
            page.heading(3, group)
            page.table(_table(reader, group))
    page.heading(2, "What was done")
    page.bullets(DONE)
    page.say(
        "`make bench-zeros`, or `python -m bench.experiments zeros`, does it all, with the tools "
        f"that are installed. {INSTALL} Run on {plain(where(reader.found))}."
    )
    if reader.passed_over:
        page.heading(3, "Passed over")
        page.bullets(f"{plain(name)}: {plain(why)}" for name, why in reader.passed_over.items())


def _in_short(reader: Reader) -> Iterator[str]:
    kept, lost = reader.names(kept=True), reader.names(kept=False)
    count = len(reader.outcomes)
    yield f"Of {count} conversions, {len(kept)} leave weights 2:4 and {len(lost)} do not."
    yield f"2:4 after: {plain(listing(kept))}."
    yield f"Not after: {plain(listing(lost))}."
    nearly = [name for name in lost if reader.outcomes[name].verdict == "nearly"]
    if nearly:
        share = reader.found["settings"]["nearly"]
        yield f"Only moved, within {share:g} of zero: {plain(listing(nearly))}."


def _table(reader: Reader, group: str) -> Table:
    """Lay out a group: the worst of all seeds."""
    head = "conversion | zeros | lost, % | largest in their place | lines broken, % | error"
    table = Table(group, head, words=2)
    for name, one in reader.outcomes.items():
        if WAYS[name].group == group:
            largest = f"{one.largest:.1e}" if one.lost else "0"
            cells = (percent(one.lost), largest, percent(one.over), f"{one.error:.3g}")
            table.add(plain(name), one.word, *cells)
    return table
