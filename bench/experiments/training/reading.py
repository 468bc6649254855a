"""What the figures say, in words that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan
from statistics import fmean

from ...pages.words import listing
from ..shared.estimates import Estimate
from .arms import ESTIMATORS, EVERY, METHODS, PATTERNS, RATES, Arm
from .findings import MEASURES, Reader
from .questions import ALL, QUESTIONS, Pairs

__all__ = ["HEADLINES", "Headline", "in_short", "tally", "verdict"]

OFTEN, SELDOM = EVERY
WHOSE = {"exact": "exact", "greedy": "greedy", "two_approx": "2-approximate"}
WHEN = {OFTEN: "at every step", SELDOM: f"every {SELDOM} steps"}
TIMES = {0.5: "half", 2.0: "twice"}

Sides = dict[str, list[str]]
"""Tasks, by whether what was compared first does better, worse, or cannot be told apart."""


@dataclass(frozen=True)
class Headline:
    """A comparison that tells most: of what, in words, and the pairs for it."""

    heading: str
    words: str
    pairs: Pairs


def _of(question: str, *words: object) -> Pairs:
    """Put together the pairs of a question's rows that say all these words."""
    rows = (row for row in QUESTIONS[question].rows if set(map(str, words)) <= set(row.words))
    return [pair for row in rows for pair in row.pairs]


def _headlines() -> dict[str, Headline]:
    """List the comparisons that tell most, by a short name; each over all patterns."""
    found = {}
    for k, method in product(EVERY, METHODS[1:]):
        words = f"exact masks rather than {WHOSE[method]}, renewed {WHEN[k]}"
        pairs = _of("exactness", ALL, method, k)
        found[f"exact {method} {k}"] = Headline("Exactness", words, pairs)
    for method in METHODS:
        words = f"{WHOSE[method]} masks {WHEN[OFTEN]} rather than {WHEN[SELDOM]}"
        found[f"often {method}"] = Headline("Frequency", words, _of("frequency", ALL, method))
    for rate in sorted(RATES):
        words = f"exact 4:8 by STE likewise, at {TIMES[rate]} the rate of learning"
        often, seldom = (Arm("4:8", every=k, rate=rate).label for k in EVERY)
        found[f"rate {rate:g}"] = Headline("Frequency", words, [(often, seldom)])
    for method in METHODS[1:]:
        words = f"{WHOSE[method]} masks {WHEN[OFTEN]} rather than exact ones {WHEN[SELDOM]}"
        found[f"rather {method}"] = Headline("If only one", words, _of("rather", ALL, method))
    for k in EVERY:
        words = f"SR-STE rather than STE, exact masks renewed {WHEN[k]}"
        found[f"estimator {k}"] = Headline("Estimator", words, _of("estimator", ALL, k))
    for p in PATTERNS:
        words = f"{p} in both directions rather than 2:4 in one, exact masks {WHEN[OFTEN]}"
        pairs = _of("transposable", p, OFTEN)
        found[f"transposable {p}"] = Headline("Transposable", words, pairs)
    return found


HEADLINES = _headlines()


def in_short(reader: Reader) -> Iterator[str]:
    """Yield what the headlines say, as far as they were run, and how masks differ."""
    for say in (_frequency, _exactness, _only_one, _estimator, _transposable, _kept, _moved):
        said = say(reader)
        if said:
            yield said


def _frequency(reader: Reader) -> str:
    names = [f"often {method}" for method in METHODS]
    rates = [
        f"{found} at {TIMES[rate]} the rate of learning"
        for rate in sorted(RATES)
        if (found := verdict(reader, HEADLINES[f"rate {rate:g}"].pairs))
    ]
    too = f" Exact 4:8 by STE: {'; '.join(rates)}." if rates else ""
    if all(_everywhere(reader, name, "better") for name in names):
        return (
            f"**Frequency buys accuracy.** Masks renewed {WHEN[OFTEN]} rather than "
            f"{WHEN[SELDOM]} do better in every task, exact, greedy and 2-approximate ones "
            f"alike.{too}"
        )
    said = _plainly(reader, names)
    return f"**Frequency.** {said}{too}" if said else ""


def _exactness(reader: Reader) -> str:
    names = {k: f"exact greedy {k}" for k in EVERY}
    others = _plainly(reader, [f"exact two_approx {k}" for k in EVERY])
    greedy = {k: _sides(reader, HEADLINES[name].pairs) for k, name in names.items()}
    if not all(any(sides.values()) for sides in greedy.values()):
        said = _plainly(reader, [*names.values()])
        return f"**Exactness.** {' '.join(filter(None, (said, others)))}" if said else ""
    if any(sides["better"] for sides in greedy.values()):
        return f"**Exactness.** {_plainly(reader, [*names.values()])} {others}"
    worse = [
        f"renewed {WHEN[k]} they do worse {_where(sides['worse'], reader.tasks)}"
        for k, sides in greedy.items()
        if sides["worse"]
    ]
    even = f"; {listing(worse)}" if worse else ""
    return (
        "**Exactness buys no accuracy over greedy masks.** Exact masks do better than greedy "
        f"ones, renewed as often, in no task{even}. {others}"
    )


def _only_one(reader: Reader) -> str:
    names = [f"rather {method}" for method in METHODS[1:]]
    if all(_everywhere(reader, name, "better") for name in names):
        return (
            "**If only one can be had, take frequency.** Greedy and 2-approximate masks "
            f"{WHEN[OFTEN]} do better in every task than exact ones {WHEN[SELDOM]}."
        )
    said = _plainly(reader, names)
    return f"**If only one can be had.** {said}" if said else ""


def _estimator(reader: Reader) -> str:
    said = _plainly(reader, [f"estimator {k}" for k in EVERY])
    decays = [
        f"{row.words[0]} {found}"
        for row in QUESTIONS["decay"].rows
        if (found := verdict(reader, row.pairs))
    ]
    more = f" By decay, exact 4:8 {WHEN[OFTEN]}: {'; '.join(decays)}." if decays else ""
    return f"**SR-STE.** {said}{more}" if said else ""


def _transposable(reader: Reader) -> str:
    said = _plainly(reader, [f"transposable {p}" for p in PATTERNS])
    return f"**Both directions.** {said}" if said else ""


def _plainly(reader: Reader, names: Sequence[str]) -> str:
    """Say some headlines' words and verdicts."""
    said = [
        f"{HEADLINES[name].words}: {found}"
        for name in names
        if (found := verdict(reader, HEADLINES[name].pairs))
    ]
    return f"{said[0][0].upper()}{'; '.join(said)[1:]}." if said else ""


def _everywhere(reader: Reader, name: str, side: str) -> bool:
    return _sides(reader, HEADLINES[name].pairs)[side] == reader.tasks


def verdict(reader: Reader, pairs: Pairs) -> str:
    """Say by the held-out loss with which tasks the first arms of pairs do better."""
    parts = [
        f"{side} {_where(tasks, reader.tasks)}"
        for side, tasks in _sides(reader, pairs).items()
        if tasks
    ]
    return listing(parts).replace("apart in every", "apart in any") if parts else ""


def _sides(reader: Reader, pairs: Pairs) -> Sides:
    sides: Sides = {"better": [], "worse": [], "not to be told apart": []}
    for task in reader.tasks:
        loss = reader.difference(task, pairs, "loss")
        if not isnan(loss.mean):
            sides[_side(loss)].append(task)
    return sides


def _side(loss: Estimate) -> str:
    if not loss.sure:
        return "not to be told apart"
    return "better" if loss.mean < 0 else "worse"


def _where(tasks: Sequence[str], all_: Sequence[str]) -> str:
    return "in every task" if len(tasks) == len(all_) > 1 else f"with the {listing(tasks)}"


def _kept(reader: Reader) -> str:
    """Tell how much of the weights transposable masks keep in the end."""
    said = []
    for method in METHODS:
        arms = [Arm(p, method, e, k).label for p, e, k in product(PATTERNS, ESTIMATORS, EVERY)]
        runs = [run for task in reader.tasks for arm in arms for run in reader.runs(task, arm)]
        if runs:
            kept, density = (100 * fmean(map(MEASURES[m], runs)) for m in ("kept", "density"))
            said.append(f"{WHOSE[method]} {density:.1f} % with {kept:.1f} % of the sum of |w|")
    if not said:
        return ""
    return (
        "**What masks keep.** In the end, of the weights that a transposable pattern halves, "
        f"mean over all arms: {listing(said)}."
    )


def _moved(reader: Reader) -> str:
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
    if not said:
        return ""
    return (
        f"**Flips.** Over {SELDOM} renewals, one a step, of exact 4:8 by STE: "
        f"{'; '.join(said)}.{' Most flips are taken back.' * all(back)}"
    )


def tally(reader: Reader, name: str) -> str:
    """Count how often the rows of a question are clearly on one side."""
    rows = [row for row in QUESTIONS[name].rows if not row.pooled]
    found = [reader.difference(task, row.pairs, "loss") for row in rows for task in reader.tasks]
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
