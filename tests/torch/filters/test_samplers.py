from dataclasses import replace

import numpy as np
import pytest

from masksolve.torch.filters.bounds import expected_unique
from masksolve.torch.filters.samplers import SAMPLERS, Task

SENSITIVITIES = np.array([0.9, 0.05, 0.4, 0.05, 0.8, 0.1, 0.0])
NORMS = np.array([1.0, 9, 2, 8, 3, 7, 4])


def task(keep=3, draws=8, seed=0):
    return Task(SENSITIVITIES, NORMS, keep, draws, np.random.default_rng(seed))


def test_those_that_leave_nothing_to_chance():
    kept = {n: np.flatnonzero(SAMPLERS[n](task()).factors) for n in ("deterministic", "magnitude")}
    assert kept["deterministic"].tolist() == [0, 2, 4]
    assert kept["magnitude"].tolist() == [1, 3, 5]


def test_uniform_takes_all_alike():
    rng = np.random.default_rng(1)
    found = np.mean([SAMPLERS["uniform"](replace(task(), rng=rng)).factors for _ in range(4000)], 0)
    np.testing.assert_allclose(found, 3 / 7, atol=0.04)


@pytest.mark.parametrize("name", ["random", "hybrid"])
def test_what_is_drawn_keeps_means_and_numbers(name):
    rng = np.random.default_rng(2)
    choices = [SAMPLERS[name](replace(task(keep=4), rng=rng)) for _ in range(5_000)]
    factors = np.array([choice.factors for choice in choices])
    np.testing.assert_allclose(factors.mean(axis=0)[:6], 1, atol=0.2)
    assert (factors[:, 6] == 0).all()  # of no use to any layer
    kept = (factors > 0).sum(axis=1).mean()
    expected = {"hybrid": 4}  # three that are sure, and one draw
    expected["random"] = expected_unique(SENSITIVITIES / SENSITIVITIES.sum(), 8)
    assert kept == pytest.approx(expected[name], abs=0.05)


def test_hybrid_keeps_what_is_expected_to_come_up():
    """1 of 8 draws goes to a channel of more than an eighth of all sensitivity."""
    for seed in range(20):
        choice = SAMPLERS["hybrid"](task(keep=4, seed=seed))
        assert (choice.factors[[0, 2, 4]] == 1).all()
        assert choice.drawn_from.tolist() == [False, True, False, True, False, True, True]
        assert choice.draws == 1
        assert (choice.factors > 0).sum() == 4


@pytest.mark.parametrize("name", ["random", "hybrid"])
def test_no_dice_where_nothing_that_matters_goes(name):
    choice = SAMPLERS[name](task(keep=6, draws=1000))
    assert choice.factors.tolist() == [1, 1, 1, 1, 1, 1, 0]
    assert choice.draws is None
    dead = replace(task(keep=2), sensitivities=np.zeros(7))
    assert SAMPLERS[name](dead).factors.sum() == 2
