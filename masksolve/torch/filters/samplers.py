"""Which filters stay, and how the weights that read them are scaled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from masksolve.torch.filters.bounds import expected_unique

__all__ = ["SAMPLERS", "Choice", "Sampler", "Task"]

Numbers = NDArray[np.float64]

MOST_DRAWS = 1 << 40
"""Beyond it a rest of channels is as good as kept."""


@dataclass(frozen=True)
class Task:
    """A group of channels of which some are to stay.

    Attributes
    ----------
    sensitivities : array
        Of each channel.
    norms : array
        The L1 norms of the filters that make each channel.
    keep : float
        How many are to stay; drawn at random, so many on average.
    draws : int
        How many the allocation provides.
    rng : Generator
    """

    sensitivities: Numbers
    norms: Numbers
    keep: float
    draws: int
    rng: np.random.Generator


@dataclass(frozen=True)
class Choice:
    """What became of a group.

    Attributes
    ----------
    factors : array
        By which weights that read a channel are multiplied; 0: it is removed.
    draws : int or None
        How many there were; None if nothing was left to chance.
    drawn_from : array of bool
        Which channels might have been drawn.
    """

    factors: Numbers
    draws: int | None
    drawn_from: NDArray[np.bool_]


Sampler = Callable[[Task], Choice]


def random(task: Task) -> Choice:
    """Draw by sensitivity, with replacement; what comes up is scaled so that means stay."""
    if task.keep >= np.count_nonzero(task.sensitivities):
        return deterministic(task)  # nothing that matters goes
    probabilities = task.sensitivities / task.sensitivities.sum()
    everything = np.ones(len(probabilities), dtype=np.bool_)
    return Choice(_draw(probabilities, task.draws, task.rng), task.draws, everything)


def deterministic(task: Task) -> Choice:
    """Keep the most sensitive."""
    return _largest(task.sensitivities, task.keep)


def hybrid(task: Task) -> Choice:
    """Keep what would come up on average at least once, and draw from the rest."""
    sure = task.sensitivities * task.draws >= task.sensitivities.sum()
    if task.keep >= np.count_nonzero(task.sensitivities) or sure.sum() >= task.keep:
        return deterministic(task)
    rest = np.where(sure, 0.0, task.sensitivities)
    probabilities = rest / rest.sum()
    left = task.keep - sure.sum()
    draws = _draws_for(left, probabilities)
    return Choice(sure + _draw(probabilities, draws, task.rng), draws or None, ~sure)


def uniform(task: Task) -> Choice:
    """Keep filters at random, all alike: what any small network could have."""
    return _largest(task.rng.random(len(task.norms)), task.keep)


def magnitude(task: Task) -> Choice:
    """Keep the filters of the largest L1 norms (Li et al. 2017)."""
    return _largest(task.norms, task.keep)


def _largest(values: Numbers, keep: float) -> Choice:
    factors = np.zeros(len(values))
    factors[np.argsort(-values, kind="stable")[: max(1, round(keep))]] = 1.0
    return Choice(factors, None, np.zeros(len(values), dtype=np.bool_))


def _draws_for(unique: float, probabilities: Numbers) -> int:
    """Return how many draws bring so many different channels on average, or nearly."""

    def expected(draws: int) -> float:
        return expected_unique(probabilities, draws)

    below = bisect_right(range(1, MOST_DRAWS), unique, key=expected)
    return min((below, below + 1), key=lambda draws: abs(expected(draws) - unique))


def _draw(probabilities: Numbers, draws: int, rng: np.random.Generator) -> Numbers:
    counts = rng.multinomial(draws, probabilities)
    came = counts > 0
    factors = np.zeros(len(probabilities))
    factors[came] = counts[came] / (draws * probabilities[came])
    return factors


SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {s.__name__: s for s in (deterministic, hybrid, random, uniform, magnitude)}
)
"""By name, the default first."""
