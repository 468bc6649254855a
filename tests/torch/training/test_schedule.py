"""When masks are renewed, and of which pattern by then."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import Pattern
from masksolve.inputs import as_count
from masksolve.torch.training.schedule import Schedule
from tests import strategies
from tests.refusals import says

COUNTS = st.integers(0, 20)


@given(strategies.patterns(max_m=16), st.integers(1, 7), COUNTS, COUNTS)
def test_all_dense_then_falling_then_there(final, refresh_every, warmup, ramp):
    schedule = Schedule(refresh_every, warmup, ramp)
    kept = [schedule.pattern(final, step).n for step in range(warmup + ramp + 5)]
    assert kept[:warmup] == [final.m] * warmup
    on_the_way = kept[warmup : warmup + ramp]
    assert on_the_way == sorted(on_the_way, reverse=True)
    assert kept[warmup + ramp :] == [final.n] * 5
    if ramp and final.n < final.m:
        assert on_the_way[0] == final.m - 1
        # Every level has its share of the steps, if there are enough for all.
        levels = range(final.n, final.m)
        shares = [on_the_way.count(n) for n in levels]
        assert sum(shares) == ramp
        assert max(shares) - min(shares) <= 1
    for step in range(warmup + ramp + 5):
        assert replace(schedule.pattern(final, step), n=final.n) == final


@given(strategies.patterns(), st.integers(1, 7), COUNTS, COUNTS)
def test_due_when_n_falls_and_every_so_many_steps(final, refresh_every, warmup, ramp):
    schedule = Schedule(refresh_every, warmup, ramp)
    for step in range(1, warmup + ramp + 20):
        now, before = (schedule.pattern(final, s).n for s in (step, step - 1))
        expected = now < final.m and (step % refresh_every == 0 or now != before)
        assert schedule.due(final, step) == expected


def test_a_ramp_of_one_step():
    schedule = Schedule(refresh_every=100, warmup=3, ramp=1)
    final = Pattern(4, 8)
    assert [schedule.pattern(final, s).n for s in range(6)] == [8, 8, 8, 7, 4, 4]
    assert [s for s in range(50) if schedule.due(final, s)] == [3, 4]


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True])
def test_what_is_no_count(value):
    with says(f"refresh_every must be a whole number from 1 up, got {value!r}"):
        as_count(value, "refresh_every", 1)
