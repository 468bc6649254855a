"""METHODS: what the table of methods says, and that it is true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import masksolve as ms
from tests import strategies
from tests.solvers.one import solver


def test_the_default_comes_first():
    assert next(iter(ms.METHODS)) == "exact"
    assert ms.solve(np.ones((4, 4)), "2:4").method == "exact"


@pytest.mark.parametrize("name", ms.METHODS)
def test_entries_describe_themselves(name):
    method = ms.METHODS[name]
    assert method.name == method.summary()["name"] == name
    assert "kept" in method.guarantee or "pruned" in method.guarantee
    assert method.reference
    assert 4 <= method.max_m <= 64


def test_the_table_is_read_only():
    with pytest.raises(TypeError):
        ms.METHODS["mine"] = ms.METHODS["exact"]


@pytest.mark.parametrize("pattern", ["2:4", "2:4,at-most"])
@pytest.mark.parametrize("name", ms.METHODS)
def test_exact_methods_find_the_optimum_and_no_other_beats_at_most(name, pattern):
    scores = np.random.default_rng(0).random((16, 16))
    best = ms.solve(scores, pattern).objective
    found = ms.solve(scores, pattern, method=name, certify=True)
    if ms.METHODS[name].exact:
        assert found.objective == pytest.approx(best, rel=1e-12)
    assert found.upper_bound == pytest.approx(best, rel=1e-12)
    assert found.objective <= ms.solve(scores, "2:4,at-most").objective * (1 + 1e-12)
    assert ms.is_valid(found.mask, "2:4,at-most")


@pytest.mark.parametrize("name", ms.METHODS)
def test_masks_do_not_depend_on_certify(name):
    scores = np.random.default_rng(1).random((16, 16))
    one, other = (ms.solve(scores, "2:4", method=name, certify=c) for c in (False, True))
    np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("pattern", ["2:4", "1:3,at-most"])
@pytest.mark.parametrize("name", ms.METHODS)
def test_a_mask_depends_on_its_tile_alone(name, pattern):
    m = ms.Pattern.parse(pattern).m
    scores = np.random.default_rng(2).random((7 * m, 5 * m))
    whole = ms.solve(scores, pattern, method=name, threads=1).mask
    threads = ms.solve(np.tile(scores, (9, 9)), pattern, method=name, threads=3).mask
    np.testing.assert_array_equal(threads, np.tile(whole, (9, 9)))
    for i, j in np.ndindex(7, 5):
        tile = np.s_[i * m : (i + 1) * m, j * m : (j + 1) * m]
        alone = ms.solve(scores[tile], pattern, method=name, threads=1).mask
        np.testing.assert_array_equal(alone, whole[tile])


@pytest.mark.parametrize("name", ms.METHODS)
@given(scores=strategies.matrices(), pattern=strategies.patterns(max_m=4))
@settings(max_examples=50)
def test_partial_tiles_hold_at_most_n(name, scores, pattern):
    """Full tiles n too, but by methods whose lines may end short."""
    may_end_short = name in ("bi_nm", "greedy", "two_approx")
    obeyed = replace(pattern, at_most=pattern.at_most or may_end_short)
    ms.check_mask(solver(name)(scores, pattern).mask, obeyed)


@pytest.mark.parametrize("order", ["C", "F", "reversed"])
@pytest.mark.parametrize("name", ms.METHODS)
def test_views_are_read_as_what_they_show(name, order):
    scores = np.random.default_rng(3).random((12, 12)).astype(np.float32)
    views = {"C": scores.copy(), "F": np.asfortranarray(scores)}
    view = views.get(order, scores[::-1, ::-1].copy()[::-1, ::-1])
    view.flags.writeable = False
    np.testing.assert_array_equal(
        ms.solve(view, "2:4", method=name).mask, ms.solve(scores, "2:4", method=name).mask
    )


@pytest.mark.parametrize("name", ms.METHODS)
def test_defaults_can_be_given_as_well(name):
    scores = np.random.default_rng(4).random((8, 8))
    options = {key: option.default for key, option in ms.METHODS[name].options.items()}
    one = ms.solve(scores, "2:4", method=name, options=options)
    np.testing.assert_array_equal(one.mask, ms.solve(scores, "2:4", method=name).mask)
