r"""Which n a layer can have of m, by how dense an unstructured method left it.

Let p be the share of zeros. Were they spread at random, a line of m weights would have at
least k of them with probability

.. math::

    P_k = \sum_{i=k}^{m} \binom{m}{i} p^i (1 - p)^{m-i},

and so lose nothing that is not zero already if it keeps m - k. Hubara et al. (2021) take the
largest k that nearly all lines have: n = m - max{k < m : P_k > 0.95}.
"""

from __future__ import annotations

from math import comb
from numbers import Real

from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.layouts import layouts_of

__all__ = ["ByDensity", "kept_by_density", "zeros_at_least"]


def zeros_at_least(zeros: float, m: int) -> list[float]:
    """Return the probabilities that a line of m has at least 0, 1, ..., m zeros.

    Parameters
    ----------
    zeros : float
        Share of zeros, in [0, 1].
    m : int

    Examples
    --------
    >>> [round(p, 4) for p in zeros_at_least(0.8, 8)]
    [1.0, 1.0, 0.9999, 0.9988, 0.9896, 0.9437, 0.7969, 0.5033, 0.1678]
    """
    if not (isinstance(zeros, Real) and 0 <= zeros <= 1):
        raise InvalidInput(f"the share of zeros must be in [0, 1], got {zeros!r}")
    share, exact = float(zeros), [comb(m, k) for k in range(m + 1)]
    each = [ways * share**k * (1 - share) ** (m - k) for k, ways in enumerate(exact)]
    return [1.0, *(min(1.0, sum(each[k:])) for k in range(1, m + 1))]


def kept_by_density(zeros: float | Tensor, m: int, confidence: float = 0.95) -> int:
    """Return the n that suits a layer, of m.

    Parameters
    ----------
    zeros : float or Tensor
        The share of zeros, or a weight that has them.
    m : int
    confidence : float
        How likely a line must be to have enough zeros.

    Returns
    -------
    int
        From 1 to m; m: keep the layer dense.

    Examples
    --------
    Of a layer with 80 % zeros, lines of 8 have at least 4 in 99 % of all cases, but at least
    5 in no more than 94 %: so 4 are kept.

    >>> kept_by_density(0.8, 8)
    4
    >>> kept_by_density(0.8, 8, confidence=0.9)
    3
    """
    Pattern(1, m)  # says what is wrong with m
    if not (isinstance(confidence, Real) and 0 < confidence < 1):
        raise InvalidInput(f"confidence must be between 0 and 1, got {confidence!r}")
    if isinstance(zeros, Tensor):
        zeros = float((zeros == 0).double().mean())
    likely = zeros_at_least(zeros, m)
    return m - max(k for k in range(m) if likely[k] > confidence)


class ByDensity:
    """Patterns by the density of each layer: give it to `adaprune` as the pattern.

    Parameters
    ----------
    m : int
    transposable : bool
    confidence : float
        As for `kept_by_density`.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(64, 64)
    >>> layer.weight.data[torch.rand(64, 64, generator=torch.manual_seed(0)) < 0.75] = 0
    >>> str(ByDensity(8)("", layer))
    '4:8'
    """

    def __init__(self, m: int, *, transposable: bool = True, confidence: float = 0.95) -> None:
        kept_by_density(0.5, m, confidence)
        self.m, self.transposable, self.confidence = m, transposable, confidence

    def __call__(self, name: str, module: nn.Module) -> Pattern | None:
        """Return the pattern of a layer, of all its matrices together; None: keep it dense."""
        weights = [getattr(module, tensor) for tensor in layouts_of(module)]
        zeros = sum(int((weight == 0).sum()) for weight in weights)
        share = zeros / sum(weight.numel() for weight in weights)
        n = kept_by_density(share, self.m, self.confidence)
        return None if n == self.m else Pattern(n, self.m, transposable=self.transposable)
