"""Distances of masks over time, against masks that were all kept."""

from itertools import accumulate
from operator import xor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masksolve.errors import InvalidInput
from masksolve.torch.training.flips import Flips, flipped
from tests.refusals import says

SIZE = 20


@st.composite
def histories(draw):
    """Draw masks of increasing steps; some steps come twice, some masks stay."""
    steps = sorted(draw(st.lists(st.integers(0, 14), min_size=1, max_size=12)))
    start = draw(st.integers(0, 2**SIZE - 1))
    others = len(steps) - 1
    flips = draw(st.lists(st.integers(0, 2**SIZE - 1), min_size=others, max_size=others))
    masks = accumulate([start, *flips], xor)
    return [(s, (m >> np.arange(SIZE) & 1).astype(bool)) for s, m in zip(steps, masks, strict=True)]


def noted(history, budget=1 << 30, make=Flips):
    (step, before), *others = history
    flips = make(step, budget)
    for step, mask in others:
        flips.add(step, flipped(before, mask))
        before = mask
    return flips


def true_distance(history, since, until):
    """The last masks at or before each step, entry by entry."""
    one, other = ([m for s, m in history if s <= step][-1] for step in (since, until))
    return int((one != other).sum())


def agrees(history, budget, make=Flips):
    """Every distance is right, or refused with neighbours between which it would be right."""
    flips = noted(history, budget, make)
    first, last = history[0][0], history[-1][0]
    refused = 0
    for since in range(first, last + 3):
        for until in range(first, last + 3):
            try:
                found = flips.sad(since, until)
            except InvalidInput as error:
                refused += 1
                said = str(error)
                assert said.startswith("the masks of step ")
                *_, one, and_, other = said.split()
                assert (and_, said.split()[4] in (str(since), str(until))) == ("and", True)
                nearest = int(one), int(other)
                assert nearest[0] < int(said.split()[4]) < nearest[1]
                assert flips.sad(*nearest) == true_distance(history, *nearest)
            else:
                assert found == true_distance(history, since, until)
    return refused


@settings(max_examples=50)
@given(histories())
def test_all_distances(history):
    assert agrees(history, budget=1 << 30) == 0


@settings(max_examples=50)
@given(histories(), st.integers(0, 200))
def test_after_merging(history, budget):
    agrees(history, budget)


class Forgetful(Flips):
    """Forgets that an entry may flip back."""

    def sad(self, since, until):
        first, last = sorted((self._place(since), self._place(until)))
        changes = self._changes[first:last]
        return len(set(np.concatenate(changes).tolist())) if changes else 0


class Late(Flips):
    """Takes each step for the one before it."""

    def _place(self, step):
        return max(super()._place(step) - 1, 0)


@pytest.mark.parametrize("fault", [Forgetful, Late])
def test_planted_faults_are_caught(fault):
    masks = [np.zeros(SIZE, dtype=bool), np.ones(SIZE, dtype=bool), np.arange(SIZE) % 2 == 0]
    history = list(enumerate(masks))
    agrees(history, 1 << 30)
    with pytest.raises(AssertionError):
        agrees(history, 1 << 30, fault)


def test_the_step_that_is_not_kept_is_named():
    rng = np.random.default_rng(0)
    history = [(10 * k, rng.random(1000) < 0.5) for k in range(9)]
    flips = noted(history, budget=5000)
    assert flips.steps[0] == 0
    assert flips.steps[-1] == 80
    assert len(flips.steps) < 9
    gone = next(10 * k for k in range(9) if 10 * k not in flips.steps)
    below = max(s for s in flips.steps if s < gone)
    above = min(s for s in flips.steps if s > gone)
    nearest = f"the nearest are those of steps {below} and {above}"
    with says(f"the masks of step {gone} are no longer kept: {nearest}"):
        flips.sad(gone, 80)


def test_before_the_first_masks():
    with says("there were no masks at step 4: the first are of step 5"):
        Flips(5).sad(4, 6)


def test_memory_stays_within_its_budget():
    rng = np.random.default_rng(1)
    flips = Flips(0, budget=4096)
    for step in range(1, 300):
        flips.add(step, rng.choice(500, 20, replace=False).astype(np.uint32))
        assert flips._bytes == sum(c.nbytes for c in flips._changes)
        assert flips._bytes <= 4096 or len(flips._changes) == 1


@settings(max_examples=50)
@given(arrays(bool, st.tuples(st.just(2), st.integers(0, 40))))
def test_flipped(masks):
    found = flipped(*masks)
    assert found.tolist() == np.flatnonzero(masks[0] != masks[1]).tolist()
    assert found.dtype == np.uint32
