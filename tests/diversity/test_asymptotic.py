"""Canfield and McKay's formula, against exact counts."""

import math

import pytest

from masksolve import diversity
from masksolve.diversity.asymptotic import log_lines
from masksolve.diversity.tables import Lines, count_lines


def error(m, n):
    lines = Lines(m, m, n, n)
    return math.exp(log_lines(lines) - math.log(count_lines(lines))) - 1


def test_its_error_is_what_the_docstrings_say():
    worst = {m: max(abs(error(m, n)) for n in range(1, m)) for m in range(2, 17)}
    assert max(worst.values()) < 0.1
    assert max(worst[m] for m in range(8, 17)) < 0.022
    assert max(abs(error(32, n)) for n in range(1, 5)) < 0.006
    half = [abs(error(m, m // 2)) for m in range(4, 17, 2)]
    assert half == sorted(half, reverse=True)
    assert half[-1] < 0.001


@pytest.mark.parametrize(("h", "w", "r", "c"), [(6, 12, 6, 3), (8, 12, 3, 2), (10, 5, 2, 4)])
def test_rectangles(h, w, r, c):
    lines = Lines(h, w, r, c)
    assert math.exp(log_lines(lines) - math.log(count_lines(lines))) == pytest.approx(1, abs=0.02)


def test_it_serves_where_counting_ends():
    bits = [diversity.bits(p) for p in ("4:8", "8:16", "16:32", "32:64")]
    assert bits == sorted(bits)
    assert bits[-1] < 1
    assert diversity.log10("16:32", (64, 64)) == pytest.approx(
        4 * log_lines(Lines(32, 32, 16, 16)) / math.log(10)
    )
