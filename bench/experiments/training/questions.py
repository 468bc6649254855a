"""The questions that the experiment answers, each as differences of arms of one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .arms import (
    DECAY,
    DECAYS,
    DENSE,
    ESTIMATORS,
    EVERY,
    METHODS,
    PATTERNS,
    PLAIN,
    RATES,
    Arm,
    grid,
)

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
    head: tuple[str, ...]
    rows: tuple[Contrast, ...]


def written(pattern: str) -> str:
    """Write a pattern: "2:4 plain" or, transposable, "2:4"."""
    return pattern.replace(",", " ")


def _pairs(arms: Sequence[Arm], **other: object) -> Pairs:
    """Pair arms with the same but for something."""
    return [(arm.label, replace(arm, **other).label) for arm in arms]  # type: ignore[arg-type]


def _together(patterns: Sequence[str], method: str) -> list[Arm]:
    return [arm for pattern in patterns for arm in grid(pattern, (method,))]


GROUPS = (*((pattern, (pattern,)) for pattern in PATTERNS), (ALL, PATTERNS))

MASKS = Question(
    "masks",
    "What masks cost: exact masks less dense",
    ("pattern", "estimator", "every"),
    tuple(
        Contrast((written(p), e, str(k)), [(Arm(p, "exact", e, k).label, DENSE.label)])
        for p in (PLAIN, *PATTERNS)
        for e in ESTIMATORS
        for k in EVERY
    ),
)
BOTH_WAYS = Question(
    "transposable",
    "What both directions cost: transposable less plain 2:4, exact",
    ("pattern", "every"),
    tuple(
        Contrast(
            (name, str(k)),
            _pairs([a for a in _together(patterns, "exact") if a.every == k], pattern=PLAIN),
        )
        for name, patterns in GROUPS
        for k in EVERY
    ),
)
EXACTNESS = Question(
    "exactness",
    "What exactness buys: exact less another method",
    ("pattern", "less", "every"),
    tuple(
        Contrast(
            (name, method, str(k)),
            _pairs([a for a in _together(patterns, "exact") if a.every == k], method=method),
        )
        for name, patterns in GROUPS
        for method in METHODS[1:]
        for k in EVERY
    ),
)
FREQUENCY = Question(
    "frequency",
    "What frequency buys: masks renewed at every step less every 40",
    ("pattern", "method", "estimator"),
    tuple(
        Contrast(
            (name, method, estimator),
            _pairs([Arm(p, method, estimator, EVERY[0]) for p in patterns], every=EVERY[1]),
        )
        for name, patterns, methods in (
            (written(PLAIN), (PLAIN,), METHODS[:1]),
            *((name, patterns, METHODS) for name, patterns in GROUPS),
        )
        for method in methods
        for estimator in ESTIMATORS
    ),
)
RATHER = Question(
    "rather",
    "If only one: approximate at every step less exact every 40",
    ("pattern", "method", "estimator"),
    tuple(
        Contrast(
            (name, method, estimator),
            _pairs(
                [Arm(p, method, estimator, EVERY[0]) for p in patterns],
                method="exact",
                every=EVERY[1],
            ),
        )
        for name, patterns in GROUPS
        for method in METHODS[1:]
        for estimator in ESTIMATORS
    ),
)
ESTIMATOR = Question(
    "estimator",
    "What the estimator does: SR-STE less STE, exact",
    ("pattern", "every"),
    tuple(
        Contrast(
            (name, str(k)),
            _pairs([Arm(p, "exact", "sr_ste", k) for p in patterns], estimator="ste"),
        )
        for name, patterns in ((written(PLAIN), (PLAIN,)), *GROUPS)
        for k in EVERY
    ),
)
SWEEP = Question(
    "decay",
    "How much decay: SR-STE less STE, exact 4:8 renewed at every step",
    ("decay",),
    tuple(
        Contrast(
            (f"{decay:g}",), [(Arm("4:8", estimator="sr_ste", decay=decay).label, Arm("4:8").label)]
        )
        for decay in (DECAY, *DECAYS)
    ),
)
RATE = Question(
    "rate",
    "Slower and faster learning: exact 4:8 by STE less dense at the same rate",
    ("rate of learning", "every"),
    tuple(
        Contrast(
            (f"x {rate:g}", str(k)),
            [(Arm("4:8", every=k, rate=rate).label, Arm(None, rate=rate).label)],
        )
        for rate in sorted((1.0, *RATES))
        for k in EVERY
    ),
)

QUESTIONS = {
    question.name: question
    for question in (MASKS, BOTH_WAYS, EXACTNESS, FREQUENCY, RATHER, ESTIMATOR, SWEEP, RATE)
}
"""By name, in the order in which they are told."""
