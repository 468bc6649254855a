"""The number of 0/1 matrices with equal line sums where it is too large to count."""

from __future__ import annotations

from math import comb, log, log1p

from masksolve.diversity.tables import Lines

__all__ = ["log_lines"]


def log_lines(lines: Lines) -> float:
    r"""Return the natural logarithm of the number of matrices, asymptotically.

    For a x b matrices with row sums s and column sums t

    .. math::

        \binom{b}{s}^a \binom{a}{t}^b \binom{ab}{as}^{-1}
        \left(1 - \tfrac1a\right)^{(a-1)/2} \left(1 - \tfrac1b\right)^{(b-1)/2} e^{1/2},

    the formula of Canfield and McKay 2005, Asymptotic enumeration of dense 0-1 matrices
    with equal row sums and equal column sums, Electronic Journal of Combinatorics 12, R29.
    Of m x m tiles it is off by 4.4 % at most for m = 4, 2.1 % for 8, 1.0 % for 16 and 0.5 %
    for what can be counted of 32, always for n = 1; for n = m/2 of m = 16 by 0.1 %.

    Examples
    --------
    >>> from math import exp
    >>> round(exp(log_lines(Lines(8, 8, 4, 4))) / 116963796250, 3)
    1.004
    """
    a, b, s, t = lines.rows, lines.columns, lines.row_sum, lines.column_sum
    size = a * log(comb(b, s)) + b * log(comb(a, t)) - log(comb(a * b, a * s))
    return size + _correction(a) + _correction(b) + 0.5


def _correction(side: int) -> float:
    return (side - 1) / 2 * log1p(-1 / side) if side > 1 else 0.0
