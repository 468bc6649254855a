r"""How large the error can become: before channels are drawn, and after.

Let a part of an output be :math:`z = \sum_j z_j` with :math:`0 \le z_j \le s_j z`, and let
:math:`m` channels be drawn with replacement by :math:`q_j = s_j / S`,
:math:`S = \sum_j s_j`. With :math:`n_j` how often channel j came up,
:math:`\hat z = \sum_j \frac{n_j}{m q_j} z_j` has mean :math:`z`, and every draw contributes
at most :math:`S z / m`. Bernstein's inequality then says

.. math:: P(|\hat z - z| \ge \varepsilon z) \le
          2 \exp\left(-\frac{3 m \varepsilon^2}{S (6 r + 2 \varepsilon)}\right)

where the channels drawn from make up at most the part :math:`r = \min(1, S)` of z.
"""

from __future__ import annotations

from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DELTA",
    "SLACK",
    "certified",
    "expected_unique",
    "proven",
    "published",
    "published_draws",
    "published_factor",
]

DELTA = 1e-16
"""The published probability of failure."""
SLACK = 3.0
"""The published C: so many times the largest share of a small batch bounds that of all."""
CONSTANT = 3.0
"""The published K."""

Numbers = NDArray[np.float64]


def published_factor(patches: int, kernel: int, delta: float = DELTA) -> float:
    """Return what the sum of sensitivities is multiplied by in the published bound."""
    return 2 * SLACK * log(8 * (patches + 1) * kernel / delta)


def published_draws(epsilon: float, weighted: float) -> int:
    """Return how many draws the published bound asks for.

    Parameters
    ----------
    epsilon : float
        The relative error.
    weighted : float
        The sum of sensitivities, times `published_factor`.

    Examples
    --------
    >>> published_draws(0.5, 10.0)
    840
    >>> round(published(840, 10.0), 12)
    0.5
    """
    return max(1, ceil(CONSTANT * (6 + 2 * epsilon) * weighted / epsilon**2))


def published(draws: int, weighted: float) -> float:
    """Return the relative error of the published bound: `published_draws` turned round."""
    return _error(weighted * CONSTANT / draws, 1.0)


def proven(draws: int, total: float, parts: int, delta: float) -> float:
    """Return the relative error that Bernstein's inequality proves for what was measured.

    With probability 1 - delta over the draws, no part of any output is further off, for
    all inputs whose shares are below the sensitivities: those that they were taken from.

    Parameters
    ----------
    draws : int
    total : float
        The sum of the sensitivities that were drawn from.
    parts : int
        How many sums there are that could fail.
    delta : float

    Examples
    --------
    >>> from math import exp
    >>> error = proven(draws=1000, total=2.0, parts=100, delta=0.01)
    >>> round(error, 3)
    0.206
    >>> round(200 * exp(-3 * 1000 * error**2 / (2 * (6 + 2 * error))), 12)
    0.01
    """
    return _error(total * log(2 * max(1, parts) / delta) / (3 * draws), min(1.0, total))


def _error(b: float, rest: float) -> float:
    """Solve e^2 = b (6 rest + 2 e)."""
    return b + sqrt(b * b + 6 * rest * b)


def certified(factors: Numbers, sensitivities: Numbers) -> float:
    r"""Return the relative error that is certain once it is known what was drawn.

    Channel j is multiplied by :math:`g_j`, so that

    .. math:: -\sum_{g_j < 1} (1 - g_j) s_j z \;\le\; \hat z - z
              \;\le\; \sum_{g_j > 1} (g_j - 1) s_j z,

    and no part falls below 0. It holds whatever way the factors were chosen.

    Examples
    --------
    >>> certified(np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.8]))
    0.2
    """
    change = (factors - 1) * sensitivities
    above, below = change[change > 0].sum(), -change[change < 0].sum()
    return float(max(above, min(1.0, below)))


def expected_unique(probabilities: Numbers, draws: float) -> float:
    """Return how many different channels so many draws bring, on average.

    Examples
    --------
    >>> expected_unique(np.array([0.5, 0.5]), 2)
    1.5
    """
    drawn = probabilities[probabilities > 0]
    with np.errstate(divide="ignore"):  # a channel that is always drawn
        return float(-np.expm1(draws * np.log1p(-np.minimum(drawn, 1.0))).sum())
