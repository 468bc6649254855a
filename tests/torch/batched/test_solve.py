"""Whole matrices: dtypes, strides, batches, chunks, and what is refused."""

import numpy as np
import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput, InvalidScore, UnknownMethod
from masksolve.torch.batched import IN_TORCH, solve, solve_batched
from tests.refusals import says
from tests.torch.batched.reference import NARROW_FLOATS

INTEGERS = [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]
DTYPES = [torch.float64, torch.float32, *NARROW_FLOATS, *INTEGERS, torch.bool]
METHODS = list(IN_TORCH.transposable)
ALL = [*METHODS, "exact"]


def solved(matrices, pattern, method, **options):
    pattern = ms.Pattern.parse(pattern if method != "exact" else pattern + ",plain")
    return solve_batched(
        matrices,
        pattern.n,
        pattern.m,
        method=method,
        transposable=pattern.transposable,
        at_most=pattern.at_most,
        **options,
    )


def expected(matrix, pattern, method):
    pattern = pattern if method != "exact" else pattern + ",plain"
    return mst.solve_mask(matrix, pattern, method=method)


@pytest.mark.parametrize("method", ["greedy", "two_approx", "exact"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(method, dtype):
    torch.manual_seed(0)
    matrix = (3 * torch.randn(17, 22)).to(dtype)
    before = matrix.clone()
    for pattern in ("2:4", "3:8,at-most"):
        found = solved(matrix[None], pattern, method)
        assert torch.equal(found[0], expected(matrix, pattern, method))
    assert torch.equal(matrix.double(), before.double())


@pytest.mark.parametrize("method", METHODS)
def test_views_and_batches(method):
    torch.manual_seed(0)
    weight = torch.randn(3, 16, 20)
    parts = (weight[:, ::2, 1:], weight[:0], weight[1:2].expand(2, -1, -1))
    for view in (weight.mT, weight.permute(1, 0, 2), *parts):
        found = solved(view, "2:4", method)
        assert found.shape == view.shape
        for mask, matrix in zip(found, view, strict=True):
            assert torch.equal(mask, expected(matrix, "2:4", method))


@pytest.mark.parametrize("method", ALL)
def test_chunks_change_nothing(method, monkeypatch):
    torch.manual_seed(0)
    matrices = torch.randn(2, 18, 27)
    at_once = solved(matrices, "2:4", method)
    monkeypatch.setattr(solve, "SCRATCH", 20 * 4 * 100)
    assert torch.equal(solved(matrices, "2:4", method), at_once)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 5, 6), (1, 8, 9)])
@pytest.mark.parametrize("magnitude", [True, False])
def test_names_the_first_bad_score(method, value, place, magnitude):
    matrices = torch.zeros(2, 9, 10)
    matrices[place] = matrices[1, 8, 9] = value
    where = ", ".join(map(str, place))
    with says(f"weights[{where}] is {value}: scores must be finite", InvalidScore):
        solved(matrices, "2:4", method, magnitude=magnitude)


def test_scores_beyond_sums_are_refused():
    matrices = torch.full((1, 4, 4), 2.0**961, dtype=torch.float64)
    with pytest.raises(InvalidInput, match=r"overflow when summed"):
        solved(matrices, "2:4", "greedy")


@pytest.mark.parametrize(
    ("method", "transposable", "kind", "there_are"),
    [
        ("exact", True, "transposable", "greedy, entropic, two_approx"),
        ("none", True, "transposable", "greedy, entropic, two_approx"),
        ("greedy", False, "plain", "exact"),
    ],
)
def test_unknown_methods(method, transposable, kind, there_are):
    said = f"method '{method}' is not batched for {kind} patterns: expected {there_are}"
    with says(said, UnknownMethod):
        solve_batched(torch.zeros(1, 4, 4), 2, 4, method=method, transposable=transposable)


def test_options_are_those_of_the_method():
    matrices = torch.zeros(1, 4, 4)
    with pytest.raises(InvalidInput, match="method 'greedy' has no option 'rounds'"):
        solved(matrices, "2:4", "greedy", options={"rounds": 3})
    with pytest.raises(InvalidInput, match="option 'rounds' must be a whole number"):
        solved(matrices, "2:4", "entropic", options={"rounds": 0.5})
