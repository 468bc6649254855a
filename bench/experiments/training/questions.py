"""The questions that the experiment answers, each as differences of arms of one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from .arms import DECAY, DECAYS, DENSE, ESTIMATORS, EVERY, METHODS, PATTERNS, PLAIN, RATES, Arm

__all__ = ["QUESTIONS", "Contrast", "Question", "written"]

Pairs = Sequence[tuple[str, str]]
"""Labels of arms: the first of each less the second."""
ALL = "all three"


@dataclass(frozen=True)
class Contrast:
    """A row: what it says of itself, and the pairs whose mean difference it tells."""

    words: tuple[str, ...]
    pairs: Pairs

    @property
    def pooled(self) -> bool:
        """Whether it puts other rows together."""
        return ALL in self.words


@dataclass(frozen=True)
class Question:
    """A table: its name, its title, the heads of the words, and its rows."""

    name: str
    title: str
    head: str
    rows: tuple[Contrast, ...]


def written(pattern: str) -> str:
    """Write a pattern: "2:4 plain" or, transposable, "2:4"."""
    return pattern.replace(",", " ")


def _pairs(arms: Sequence[Arm], **other: object) -> Pairs:
    """Pair arms with the same but for something."""
    return [(arm.label, replace(arm, **other).label) for arm in arms]  # type: ignore[arg-type]


def _exact(patterns: Sequence[str], every: int) -> list[Arm]:
    return [Arm(p, "exact", e, every) for p in patterns for e in ESTIMATORS]


def _rows(pairs: Callable[..., Pairs], *ways: Iterable[Any]) -> tuple[Contrast, ...]:
    """Ask of every combination of ways: each a value, or what is said of it and the value."""
    named = ((way if isinstance(way, tuple) else (f"{way}", way) for way in one) for one in ways)
    return tuple(
        Contrast(tuple(word for word, _ in row), pairs(*(value for _, value in row)))
        for row in product(*named)
    )


SINGLE = tuple((written(pattern), (pattern,)) for pattern in PATTERNS)
FLAT = ((written(PLAIN), (PLAIN,)),)
GROUPS = (*SINGLE, (ALL, PATTERNS))
"""What is said of some patterns, and these."""

MASKS = Question(
    "masks",
    "What masks cost: exact masks less dense",
    "pattern | estimator | every",
    _rows(
        lambda ps, e, k: [(Arm(p, "exact", e, k).label, DENSE.label) for p in ps],
        (*FLAT, *SINGLE),
        ESTIMATORS,
        EVERY,
    ),
)
BOTH_WAYS = Question(
    "transposable",
    "What both directions cost: transposable less plain 2:4, exact",
    "pattern | every",
    _rows(lambda ps, k: _pairs(_exact(ps, k), pattern=PLAIN), GROUPS, EVERY),
)
EXACTNESS = Question(
    "exactness",
    "What exactness buys: exact less another method",
    "pattern | less | every",
    _rows(lambda ps, m, k: _pairs(_exact(ps, k), method=m), GROUPS, METHODS[1:], EVERY),
)


def _often(patterns: Sequence[str], method: str, estimator: Any) -> Pairs:
    return _pairs([Arm(p, method, estimator, EVERY[0]) for p in patterns], every=EVERY[1])


FREQUENCY = Question(
    "frequency",
    "What frequency buys: masks renewed at every step less every 40",
    "pattern | method | estimator",
    _rows(_often, FLAT, METHODS[:1], ESTIMATORS) + _rows(_often, GROUPS, METHODS, ESTIMATORS),
)
RATHER = Question(
    "rather",
    "If only one: approximate at every step less exact every 40",
    "pattern | method | estimator",
    _rows(
        lambda ps, m, e: _pairs([Arm(p, m, e) for p in ps], method="exact", every=EVERY[1]),
        GROUPS,
        METHODS[1:],
        ESTIMATORS,
    ),
)
ESTIMATOR = Question(
    "estimator",
    "What the estimator does: SR-STE less STE, exact",
    "pattern | every",
    _rows(
        lambda ps, k: _pairs([Arm(p, "exact", "sr_ste", k) for p in ps], estimator="ste"),
        (*FLAT, *GROUPS),
        EVERY,
    ),
)
SWEEP = Question(
    "decay",
    "How much decay: SR-STE less STE, exact 4:8 renewed at every step",
    "decay",
    _rows(
        lambda d: [(Arm("4:8", estimator="sr_ste", decay=d).label, Arm("4:8").label)],
        [(f"{decay:g}", decay) for decay in (DECAY, *DECAYS)],
    ),
)
RATE = Question(
    "rate",
    "Slower and faster learning: exact 4:8 by STE less dense at the same rate",
    "rate of learning | every",
    _rows(
        lambda r, k: [(Arm("4:8", every=k, rate=r).label, Arm(None, rate=r).label)],
        [(f"x {rate:g}", rate) for rate in sorted((1.0, *RATES))],
        EVERY,
    ),
)

QUESTIONS = {
    question.name: question
    for question in (MASKS, BOTH_WAYS, EXACTNESS, FREQUENCY, RATHER, ESTIMATOR, SWEEP, RATE)
}
"""By name, in the order in which they are told."""
