"""METHODS: what the table of methods says, and that it is true."""

import numpy as np
import pytest

import masksolve as ms


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
