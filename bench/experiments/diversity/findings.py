"""What the diversity experiment found, and what is read from it."""

from __future__ import annotations

from itertools import combinations
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Draws",
    "Findings",
    "Values",
    "difference",
    "draws",
    "groups",
    "mean_and_half",
    "reversed_pairs",
]

Values = NDArray[np.float64]
Draws = dict[str, list[float]]
"""By a constraint's label: one value a seed, layer or matrix."""


class Findings(TypedDict):
    """A run: where it ran, diversity in bits per weight, and every quality, draw by draw.

    The diversity is that of the networks' masked layers.
    """

    machine: dict[str, Any]
    versions: dict[str, str]
    density: dict[str, float]
    exact: dict[str, float]
    paper: dict[str, float]
    qualities: dict[str, Draws]


def groups(found: Findings) -> dict[str, list[str]]:
    """List the constraints of each density, by its name, and at last all of them."""
    labels = list(found["density"])
    by_density = {
        f"{density:.0%}": [label for label in labels if found["density"][label] == density]
        for density in dict.fromkeys(found["density"].values())
    }
    return by_density | {"all": labels}


def draws(found: Findings, quality: str, labels: list[str]) -> Values:
    """Return a quality's values: (constraints, draws)."""
    return np.array([found["qualities"][quality][label] for label in labels])


def difference(found: Findings, quality: str, label: str, other: str) -> tuple[float, float]:
    """Return the mean of a quality's paired differences and half its 95 % interval."""
    one, two = draws(found, quality, [label, other])
    return mean_and_half(one - two)


def mean_and_half(values: Values) -> tuple[float, float]:
    """Return a mean and half its 95 % interval."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


def reversed_pairs(found: Findings) -> list[tuple[str, str]]:
    """List pairs of equal density that the paper's formula orders the other way round.

    The one that the exact count finds more diverse comes first.
    """
    by_density = list(groups(found).values())[:-1]
    pairs = [pair for labels in by_density for pair in combinations(labels, 2)]
    exact, paper = found["exact"], found["paper"]
    return [
        (a, b) if exact[a] > exact[b] else (b, a)
        for a, b in pairs
        if (exact[a] - exact[b]) * (paper[a] - paper[b]) < 0
    ]
