"""What the figures say, in words that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan
from statistics import fmean

from ..report.words import listing
from .arms import ESTIMATORS, EVERY, METHODS, PATTERNS, PLAIN, RATES, Arm
from .findings import MEASURES, Estimate, Reader
from .questions import QUESTIONS, Pairs

__all__ = ["HEADLINES", "Headline", "in_short", "tally", "verdict"]

OFTEN, SELDOM = EVERY
WHOSE = {"exact": "exact", "greedy": "greedy", "two_approx": "2-approximate"}
WHEN = {OFTEN: "at every step", SELDOM: f"every {SELDOM} steps"}


@dataclass(frozen=True)
class Headline:
    """A comparison in words: what is compared under which heading, and the pairs for it."""

    heading: str
    words: str
    pairs: Pairs


def _headlines() -> Iterator[Headline]:
    """Yield the comparisons that tell most, each over all patterns and estimators."""
    ways = list(product(PATTERNS, ESTIMATORS))

    def compare(one: tuple[str, int], other: tuple[str, int]) -> Pairs:
        return [
            (Arm(p, one[0], e, one[1]).label, Arm(p, other[0], e, other[1]).label)
            for p, e in ways
        ]

    for k, method in product(EVERY, METHODS[1:]):
        words = f"exact masks rather than {WHOSE[method]}, renewed {WHEN[k]}"
        yield Headline("Exactness", words, compare(("exact", k), (method, k)))
    for method in METHODS:
        words = f"{WHOSE[method]} masks {WHEN[OFTEN]} rather than {WHEN[SELDOM]}"
        yield Headline("Frequency", words, compare((method, OFTEN), (method, SELDOM)))
    for rate in sorted(RATES):
        words = f"exact 4:8 by STE likewise, at {rate:g} times the rate of learning"
        often, seldom = (Arm("4:8", every=k, rate=rate).label for k in EVERY)
        yield Headline("Frequency", words, [(often, seldom)])
    for method in METHODS[1:]:
        words = f"{WHOSE[method]} masks {WHEN[OFTEN]} rather than exact ones {WHEN[SELDOM]}"
        yield Headline("If only one", words, compare((method, OFTEN), ("exact", SELDOM)))
    for k in EVERY:
        pairs = [(Arm(p, "exact", "sr_ste", k).label, Arm(p, "exact", "ste", k).label)
                 for p in PATTERNS]  # fmt: skip
        yield Headline("SR-STE", f"rather than STE, exact masks renewed {WHEN[k]}", pairs)
    for p in PATTERNS:
        pairs = [(Arm(p, "exact", e).label, Arm(PLAIN, "exact", e).label) for e in ESTIMATORS]
        words = f"{p} in both directions rather than 2:4 in one, exact masks {WHEN[OFTEN]}"
        yield Headline("Transposable", words, pairs)


HEADLINES = tuple(_headlines())
"""In the order in which they are told."""


def in_short(reader: Reader) -> Iterator[str]:
    """Yield a sentence or two for each heading, as far as it was run."""
    for heading in dict.fromkeys(one.heading for one in HEADLINES):
        said = [
            f"{one.words}: {found}"
            for one in HEADLINES
            if one.heading == heading and (found := verdict(reader, one.pairs))
        ]
        if said:
            yield f"**{heading}.** {'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}."
    yield from _kept(reader)
    yield from _moved(reader)


def verdict(reader: Reader, pairs: Pairs) -> str:
    """Say by the held-out loss with which tasks the first arms of pairs do better."""
    found = {task: reader.difference(task, pairs, "loss") for task in reader.tasks}
    found = {task: loss for task, loss in found.items() if not isnan(loss.mean)}
    sides: dict[str, list[str]] = {"better": [], "worse": [], "not to be told apart": []}
    for task, loss in found.items():
        sides[_side(loss)].append(task)
    parts = [f"{side} {_where(tasks, reader.tasks)}" for side, tasks in sides.items() if tasks]
    return listing(parts) if parts else ""


def _side(loss: Estimate) -> str:
    if not loss.sure:
        return "not to be told apart"
    return "better" if loss.mean < 0 else "worse"


def _where(tasks: Sequence[str], all_: Sequence[str]) -> str:
    return "in every task" if len(tasks) == len(all_) > 1 else f"with the {listing(tasks)}"


def _kept(reader: Reader) -> Iterator[str]:
    """Tell how much of the weights transposable masks keep in the end."""
    said = []
    for method in METHODS:
        arms = [Arm(p, method, e, k).label for p, e, k in product(PATTERNS, ESTIMATORS, EVERY)]
        runs = [run for task in reader.tasks for arm in arms
                for run in reader.runs(task, arm).values()]  # fmt: skip
        if runs:
            kept, density = (100 * fmean(map(MEASURES[m], runs)) for m in ("kept", "density"))
            said.append(f"{WHOSE[method]} {kept:.1f} % with {density:.1f} % of the weights")
    if said:
        yield (
            "**What masks keep.** In the end, of the sum of |w|, mean over all transposable "
            f"arms: {listing(said)}."
        )


def _moved(reader: Reader) -> Iterator[str]:
    """Set the flips of 40 renewals against how far they lead."""
    often, seldom = (Arm("4:8", every=k).label for k in EVERY)
    said, back = [], []
    for task in reader.tasks:
        flips, moved, rarely = (
            100 * reader.mean(task, arm, what).mean
            for arm, what in ((often, "flips"), (often, "moved"), (seldom, "moved"))
        )
        if not isnan(flips + rarely):
            back.append(SELDOM * flips > 2 * moved)
            said.append(
                f"{task} {SELDOM * flips:.0f} flips per 100 entries lead to masks that differ "
                f"in {moved:.1f} (renewed once instead: {rarely:.1f})"
            )
    if said:
        yield (
            f"**Flips.** Over {SELDOM} renewals, one a step, of exact 4:8 by STE: "
            f"{'; '.join(said)}.{' Most flips are taken back.' * all(back)}"
        )


def tally(reader: Reader, name: str) -> str:
    """Count how often the rows of a question are clearly on one side."""
    rows = [row for row in QUESTIONS[name].rows if not row.pooled]
    found = [
        reader.difference(task, row.pairs, "loss") for row in rows for task in reader.tasks
    ]
    known = [loss for loss in found if not isnan(loss.half)]
    if not known:
        return ""
    lower = sum(loss.sure and loss.mean < 0 for loss in known)
    higher = sum(loss.sure and loss.mean > 0 for loss in known)
    return (
        f"Of {len(known)} differences in loss, single patterns only, {lower} are below 0 "
        f"beyond their interval and {higher} above; were there none at all, about "
        f"{len(known) / 20:.0f} would stand out by chance."
    )
