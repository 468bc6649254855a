from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from masksolve.torch.filters import bounds


def test_the_published_numbers():
    """C = 3, delta = 1e-16; 3 (6 + 2 eps) S / eps^2 draws."""
    factor = bounds.published_factor(patches=64, kernel=9)
    assert factor == pytest.approx(6 * (log(8 * 65 * 9) + 16 * log(10)))
    weighted = factor * 2.5
    assert bounds.published_draws(0.5, weighted) == np.ceil(3 * 7 * weighted / 0.25)
    assert bounds.published_draws(1e9, weighted) == 1


@given(st.integers(1, 10**9), st.floats(1e-3, 1e4))
def test_the_published_bound_turned_round(draws, weighted):
    error = bounds.published(draws, weighted)
    assert 3 * (6 + 2 * error) * weighted / error**2 == pytest.approx(draws, rel=1e-9)


@given(st.integers(1, 10**6), st.floats(0.01, 100), st.integers(1, 10**6), st.floats(1e-16, 0.5))
def test_the_proven_bound_is_bernsteins(draws, total, parts, delta):
    """Solved numerically: of variance total * min(1, total) / draws, terms total / draws."""

    def left(error):
        variance, term = total * min(1, total) / draws, total / draws
        exponent = error**2 / 2 / (variance + term * error / 3)
        return log(2 * parts) - exponent - log(delta)

    expected = brentq(left, 1e-12, 1e12, rtol=1e-12)
    assert bounds.proven(draws, total, parts, delta) == pytest.approx(expected, rel=1e-6)


@given(st.data())
def test_no_part_can_be_further_off_than_certified(data):
    count = data.draw(st.integers(1, 6))
    terms = np.array(data.draw(st.lists(st.floats(0, 10), min_size=count, max_size=count)))
    factors = np.array(data.draw(st.lists(st.floats(0, 5), min_size=count, max_size=count)))
    shares = terms / terms.sum() if terms.sum() > 0 else terms
    slack = np.array(data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)))
    error = abs(factors @ terms - terms.sum())
    allowed = bounds.certified(factors, np.minimum(1, shares + slack)) * terms.sum()
    assert error <= allowed + 1e-9


def test_certified_is_attained():
    assert bounds.certified(np.array([0.0, 1, 1]), np.array([0.7, 0.2, 0.1])) == 0.7
    assert bounds.certified(np.array([3.0, 0, 1]), np.array([0.7, 0.9, 0.8])) == pytest.approx(1.4)
    assert bounds.certified(np.array([0.0, 0, 1]), np.array([0.7, 0.9, 0.8])) == 1


def test_expected_unique_by_drawing():
    rng = np.random.default_rng(0)
    probabilities = np.array([0.5, 0.3, 0.2, 0.0])
    drawn = rng.multinomial(4, probabilities, size=40_000)
    expected = (drawn > 0).sum(axis=1).mean()
    assert bounds.expected_unique(probabilities, 4) == pytest.approx(expected, abs=0.02)
    assert bounds.expected_unique(np.array([1.0, 0.0]), 7) == 1
    assert bounds.expected_unique(probabilities, 1e18) == 3


@pytest.mark.parametrize("draws", [3, 30, 300])
def test_the_proven_bound_fails_as_seldom_as_it_says(draws):
    """And is no more than a few times what happens: half of it fails often."""
    rng = np.random.default_rng(draws)
    parts = rng.dirichlet(np.full(12, 0.5), size=40)  # terms of 40 parts, their sums 1
    sensitivities = parts.max(axis=0)
    total = sensitivities.sum()
    probabilities = sensitivities / total
    factors = rng.multinomial(draws, probabilities, size=4000) / (draws * probabilities)
    worst = np.abs(factors @ parts.T - 1).max(axis=1)
    for delta in (0.5, 0.05):
        assert (worst > bounds.proven(draws, total, 40, delta)).mean() <= delta
    assert (worst > bounds.proven(draws, total, 40, 0.5) / 4).mean() > 0.1
