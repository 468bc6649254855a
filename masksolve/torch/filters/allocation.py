"""How many filters each group keeps, for a network of a given size.

The size is a function of one number for all groups: the error that the published bound
allows, or the share of filters. Its root is sought.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, log

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import InvalidInput
from masksolve.torch.filters.bounds import expected_unique, published_draws
from masksolve.torch.filters.traced import Sizes

__all__ = ["Allocation", "by_error", "by_share"]

ROUNDING = 1e-9
STEPS = 1 << 20
"""Of the search: twenty halvings."""
LEAST, MOST = log(1e-9), log(1e9)
"""Between which the logarithm of the error is sought."""

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Allocation:
    """What each group gets.

    Attributes
    ----------
    keep : array
        Filters that stay; drawn at random, so many on average.
    draws : array of int or None
    epsilon : float or None
        The relative error that the published bound gives to all groups alike.
    """

    keep: Numbers | Counts
    draws: Counts | None = None
    epsilon: float | None = None


def by_error(
    sensitivities: Sequence[Numbers],
    factors: Sequence[float],
    sizes: Sizes,
    parameters: float,
    *,
    whole: bool,
    multiple_of: int = 1,
) -> Allocation:
    """Find the least error, the same for all groups, whose network is small enough.

    Parameters
    ----------
    sensitivities : sequence of array
        Of each group's channels.
    factors : sequence of float
        `published_factor` of each group.
    sizes : Sizes
    parameters : float
        How many the network may have.
    whole : bool
        Whether numbers of filters are to be whole: not if they are averages of draws.
    multiple_of : int
        What the numbers of filters are to be multiples of.
    """
    totals = [float(s.sum()) for s in sensitivities]
    most = np.array([len(s) for s in sensitivities])

    def draws(epsilon: float) -> Counts:
        pairs = zip(totals, factors, strict=True)
        return np.array([published_draws(epsilon, total * f) for total, f in pairs])

    def keep(step: int) -> Numbers | Counts:
        drawn = draws(_epsilon(step))
        pairs = zip(sensitivities, drawn, strict=True)
        unique = np.array([_unique(s, m) for s, m in pairs])
        return _rounded(np.ceil(unique - ROUNDING), most, multiple_of) if whole else unique

    step = _search(keep, most, sizes, parameters)
    if step is None:
        return Allocation(most)
    epsilon = _epsilon(step)
    return Allocation(keep(step), draws(epsilon), epsilon)


def by_share(most: Counts, sizes: Sizes, parameters: float, multiple_of: int = 1) -> Allocation:
    """Find the largest share of filters, the same for all groups, that is small enough."""

    def keep(step: int) -> Counts:
        return _rounded(np.round(most * (1 - step / STEPS)), most, multiple_of)

    step = _search(keep, most, sizes, parameters)
    return Allocation(most if step is None else keep(step))


def _search(
    keep: Callable[[int], Numbers | Counts], most: Counts, sizes: Sizes, parameters: float
) -> int | None:
    """Find the first step at which the network is small enough; None: it is so in full.

    The size falls in jumps, a filter at a time: a root need not exist, but bisection finds
    where the size crosses what is allowed.
    """
    if sizes.after(most) <= parameters:
        return None
    smallest = sizes.after(keep(STEPS))
    if smallest > parameters:
        raise InvalidInput(
            f"the budget allows {int(parameters)} of {int(sizes.after(most))} parameters, and "
            f"{int(smallest)} are left when every group of layers keeps the fewest filters: "
            f"expected a budget of at least {ceil(1e4 * smallest / sizes.after(most)) / 1e4:g}"
        )
    return bisect_left(range(STEPS), True, key=lambda k: sizes.after(keep(k)) <= parameters)


def _unique(sensitivities: Numbers, draws: float) -> float:
    """Return how many filters draws bring on average; nearly all count as all."""
    useful = np.count_nonzero(sensitivities)
    if useful == 0:
        return 1.0
    found = expected_unique(sensitivities / sensitivities.sum(), draws)
    return float(useful) if found > useful - 1 else found


def _epsilon(step: int) -> float:
    return exp(LEAST + (MOST - LEAST) * step / STEPS)


def _rounded(counts: Numbers, most: Counts, multiple_of: int) -> Counts:
    """Round down to multiples, at least one of them; all there are is always a number."""
    whole = np.minimum(counts.astype(np.int64), most)
    down = np.maximum(whole // multiple_of, 1) * multiple_of
    found: Counts = np.where(whole == most, most, np.minimum(down, most))
    return found
