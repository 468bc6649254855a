"""Canfield and McKay's formula, against exact counts."""

import math

import pytest

from masksolve import diversity
from masksolve.diversity.asymptotic import log_lines
from masksolve.diversity.tables import Lines, count_lines


def error(lines):
    return math.exp(log_lines(lines) - math.log(count_lines(lines))) - 1


def error_of_tiles(m, n):
    return abs(error(Lines(m, m, n, n)))


def test_its_error_is_what_the_docstrings_say():
    # Both the count and the formula are the same for what is left out.
    assert all(error_of_tiles(m, n) == error_of_tiles(m, m - n) for m in (9, 12) for n in (1, 3))
    worst = {m: max(error_of_tiles(m, n) for n in range(1, m // 2 + 1)) for m in range(2, 17)}
    assert max(worst.values()) < 0.1
    assert max(worst[m] for m in range(8, 17)) < 0.022
    assert max(error_of_tiles(32, n) for n in range(1, 5)) < 0.006
    half = [error_of_tiles(m, m // 2) for m in range(4, 17, 2)]
    assert half == sorted(half, reverse=True)
    assert half[-1] < 0.001


@pytest.mark.parametrize(("h", "w", "r", "c"), [(6, 12, 6, 3), (8, 12, 3, 2), (10, 5, 2, 4)])
def test_rectangles(h, w, r, c):
    assert error(Lines(h, w, r, c)) == pytest.approx(0, abs=0.02)


def test_it_serves_where_counting_ends():
    bits = [diversity.bits(p) for p in ("4:8", "8:16", "16:32", "32:64")]
    assert bits == sorted(bits)
    assert bits[-1] < 1
    expected = 4 * log_lines(Lines(32, 32, 16, 16)) / math.log(10)
    assert diversity.log10("16:32", (64, 64)) == pytest.approx(expected)
