"""What the figures say, in words that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from ..report.words import listing
from .arms import ESTIMATORS, EVERY, METHODS, PATTERNS, PLAIN, RATES, Arm
from .findings import Estimate, Reader
from .questions import QUESTIONS, Pairs

__all__ = ["in_short", "outcome", "tally"]

NAMES = {"greedy": "greedy", "two_approx": "the 2-approximation"}
OFTEN, SELDOM = EVERY


def in_short(reader: Reader) -> Iterator[str]:
    """Yield one sentence a question."""
    both = tuple((e, k) for e in ESTIMATORS for k in EVERY)
    for method in METHODS[1:]:
        pairs = [
            (Arm(p, "exact", e, k).label, Arm(p, method, e, k).label)
            for p in PATTERNS
            for e, k in both
        ]
        yield _sentence(reader, f"Exact masks instead of {NAMES[method]}'s", pairs)
    for method in METHODS:
        pairs = [
            (Arm(p, method, e, OFTEN).label, Arm(p, method, e, SELDOM).label)
            for p in PATTERNS
            for e in ESTIMATORS
        ]
        whose = "exact" if method == "exact" else f"{NAMES[method]}'s"
        yield _sentence(reader, f"Renewing {whose} masks at every step, not every 40,", pairs)
    for rate in RATES:
        seldom = Arm("4:8", every=SELDOM, rate=rate)
        pairs = [(Arm("4:8", rate=rate).label, seldom.label)]
        yield _sentence(
            reader,
            f"The same for exact 4:8 by STE at {rate:g} times the rate of learning",
            pairs,
        )
    for k in EVERY:
        pairs = [(Arm(p, "exact", "sr_ste", k).label, Arm(p, "exact", "ste", k).label)
                 for p in PATTERNS]  # fmt: skip
        yield _sentence(reader, f"SR-STE instead of STE, exact masks, {_every(k)},", pairs)
    for p in PATTERNS:
        pairs = [(Arm(p, "exact", e).label, Arm(PLAIN, "exact", e).label) for e in ESTIMATORS]
        yield _sentence(
            reader, f"Transposable {p} instead of plain 2:4, {_every(OFTEN)},", pairs
        )


def _every(steps: int) -> str:
    return "renewed at every step" if steps == 1 else f"renewed every {steps} steps"


def _sentence(reader: Reader, subject: str, pairs: Pairs) -> str:
    return f"{subject} {outcome(reader, pairs)}"


def outcome(reader: Reader, pairs: Pairs) -> str:
    """Say by the held-out loss where the first arms of pairs do better, where worse."""
    found = {task: reader.difference(task, pairs, "loss") for task in reader.tasks}
    found = {task: loss for task, loss in found.items() if not isnan(loss.mean)}
    if not found:
        return "was not run."
    better = [task for task, loss in found.items() if loss.sure and loss.mean < 0]
    worse = [task for task, loss in found.items() if loss.sure and loss.mean > 0]
    open_ = [task for task in found if task not in (*better, *worse)]
    parts = [
        f"{verb} {_where(tasks, reader.tasks)}"
        for verb, tasks in (("helps", better), ("hurts", worse))
        if tasks
    ]
    if open_:
        parts.append(f"makes no difference that can be told {_where(open_, reader.tasks)}")
    figures = "; ".join(
        f"{task} {loss.write(places=3, sign=True)}"
        f" ({_points(reader.difference(task, pairs, 'accuracy'))})"
        for task, loss in found.items()
    )
    return f"**{listing(parts)}**. Loss: {figures}."


def _where(tasks: Sequence[str], all_: Sequence[str]) -> str:
    if len(tasks) == len(all_) > 1:
        return "in every task"
    return f"with the {listing(tasks)}"


def _points(accuracy: Estimate) -> str:
    return f"{accuracy.write(100, sign=True)} points"


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
