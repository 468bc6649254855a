"""Sums over rows, and the errors that they tell, against the rows themselves."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from masksolve.errors import InvalidInput
from masksolve.torch.fitting import Moments
from masksolve.torch.fitting import moments as module
from masksolve.torch.fitting.objective import Objective
from tests.torch.fitting.problems import error_of, related

KINDS = "same", "dense", "wanted"


def rows_of(kind, rows=60, features=16, outputs=6, seed=0):
    random = torch.Generator().manual_seed(seed)
    inputs = related(rows, features, seed=seed)
    if kind == "same":
        return (inputs,)
    if kind == "dense":
        return inputs, inputs + 0.2 * torch.randn(rows, features, generator=random), None
    return inputs, None, torch.randn(rows, outputs, generator=random) + 2


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.integers(1, 59), max_size=4, unique=True).map(sorted),
)
def test_however_rows_are_split_the_sums_are_numpys(kind, cuts):
    given_rows = rows_of(kind)
    moments, ends = Moments(), [0, *cuts, 60]
    for first, last in pairwise(ends):
        moments.add(*(None if x is None else x[first:last] for x in given_rows))
    x, *others = (None if v is None else v.double().numpy() for v in given_rows)
    assert moments.rows == 60
    np.testing.assert_allclose(moments.gram[0], x.T @ x, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(moments.sum[0], x.sum(0), rtol=1e-6, atol=1e-5)
    if kind == "wanted":
        np.testing.assert_allclose(moments.target[0], others[1].T @ x, rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(moments.wanted_squares[0], (others[1] ** 2).sum(0), rtol=1e-5)
    else:
        before = others[0] if kind == "dense" else x
        np.testing.assert_allclose(moments.cross[0], x.T @ before, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(moments.dense[0], before.T @ before, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_bias", [True, False])
def test_errors_are_those_of_the_rows(kind, with_bias):
    random = torch.Generator().manual_seed(3)
    weight, new = torch.randn(2, 6, 16, generator=random, dtype=torch.float64)
    bias = torch.randn(6, generator=random, dtype=torch.float64) if with_bias else torch.zeros(6)
    moments, given_rows = Moments(), rows_of(kind)
    moments.add(*given_rows)
    x = given_rows[0].double()
    if kind == "wanted":
        wanted = given_rows[2].double()
    else:
        wanted = (given_rows[1].double() if kind == "dense" else x) @ weight.T + bias
    objective = Objective(weight[None], moments, bias[None] if with_bias else None)
    shift = torch.randn(6, generator=random, dtype=torch.float64)
    close = {"rtol": 1e-4}
    assert float(objective.error(new[None])) == pytest.approx(
        error_of(x, wanted - bias, new), rel=close["rtol"]
    )
    assert float(objective.error(new[None], shift[None])) == pytest.approx(
        error_of(x, wanted - bias, new, shift), rel=close["rtol"]
    )
    np.testing.assert_allclose(objective.squares[0], ((wanted - bias) ** 2).sum(0), **close)
    best = (wanted - bias - x @ new.T).mean(0)
    np.testing.assert_allclose(objective.best_shift(new[None])[0], best, rtol=1e-4, atol=1e-4)
    some = objective.of(torch.tensor([1, 4]))
    assert float(some.error(new[None, [1, 4]])) == pytest.approx(
        error_of(x, (wanted - bias)[:, [1, 4]], new[[1, 4]]), rel=close["rtol"]
    )


def test_large_means_do_not_hide_what_varies():
    x = related(300, 16) + 1e3  # single precision
    moments = Moments()
    moments.add(x)
    matrix, _ = Objective(torch.randn(1, 4, 16), moments).normal_equations(centred=True)
    expected = np.cov(x.double().numpy().T, bias=True)
    np.testing.assert_allclose(matrix[0].numpy(), expected, atol=1e-4 * np.trace(expected))


@pytest.mark.parametrize("features", [7, 384, 385, 450])
def test_products_by_symmetry(features):
    x = torch.randn(2, 20, features, dtype=torch.float64)
    torch.testing.assert_close(module._symmetric(x), x.mT @ x)


def test_single_precision_is_half_as_large_and_nearly_as_good():
    x = related(200, 32)
    wide, narrow = Moments(), Moments(torch.float32)
    for moments in (wide, narrow):
        for some in x.split(50):
            moments.add(some)
    assert narrow.gram.dtype == torch.float32
    torch.testing.assert_close(narrow.gram.double(), wide.gram, rtol=1e-5, atol=1e-3)


def test_rows_that_do_not_go_together():
    x = related(10, 8)
    moments = Moments()
    with pytest.raises(InvalidInput, match="not both"):
        moments.add(x, x + 1, x)
    with pytest.raises(InvalidInput, match=r"as many rows were expected as there are of inputs"):
        moments.add(x, wanted=x[:9])
    moments.add(x)
    with pytest.raises(InvalidInput, match=r"rows of kind 'wanted' cannot follow .* 'same'"):
        moments.add(x, wanted=x)


@pytest.mark.parametrize("where", ["inputs", "wanted"])
def test_what_is_not_finite_shows(where):
    x, y = related(10, 8), related(10, 3)
    {"inputs": x, "wanted": y}[where][4, 2] = float("nan")
    moments = Moments()
    moments.add(x, wanted=y)
    assert not moments.finite
