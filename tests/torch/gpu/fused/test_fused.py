"""The kernels, through Triton's interpreter, against the same methods step by step."""

import numpy as np
import pytest
import torch

from masksolve.solvers import METHODS, as_options
from masksolve.torch.batched import IN_TORCH, solve_batched
from masksolve.torch.devices import batched_methods
from tests.strategies import random_tiles

pytest.importorskip("triton")

from masksolve.torch.gpu.fused import FUSED

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
"""What is kept for sure may grow without end."""

SIZES = [(1, 2), (2, 3), (3, 5), (2, 4), (4, 8), (5, 10), (8, 16), (8, 8)]


def both(method, scores, *arguments, transposable=True, **options):
    """Return the masks of a method's kernel, and those found step by step."""
    return (
        methods.of(transposable)[method](scores, *arguments, **options)
        for methods in (FUSED, IN_TORCH)
    )


def tiles(n, m, dtype, count=None):
    count = count or max(7, 2000 // m**2)
    rng = np.random.default_rng([n, m])
    signs = rng.choice([-1, 1], (count, m, m))
    return torch.from_numpy(random_tiles(rng, count, m) * signs).to(dtype)


@pytest.mark.parametrize(("n", "m"), [*SIZES, (16, 32)])
@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("method", ["greedy", "two_approx"])
def test_greedy_and_two_approx(method, n, m, at_most):
    scores = tiles(n, m, torch.float64 if m % 3 else torch.float32)
    assert torch.equal(*both(method, scores, n, at_most))


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 5), (16, 32), (8, 8)])
@pytest.mark.parametrize("at_most", [False, True])
def test_plain_lines(n, m, at_most):
    scores = tiles(n, m, torch.float32)
    for lines in (scores, scores[:, :1].contiguous()):
        assert torch.equal(*both("exact", lines, n, at_most, transposable=False))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("at_most", [False, True])
def test_entropic(n, m, dtype, at_most):
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 24})
    scores = tiles(n, m, dtype, 14)
    found, expected = both("entropic", scores, n, at_most, **options)
    generic = torch.arange(14) % 7 == 0
    assert torch.equal(found[generic], expected[generic])
    assert (found.sum(1) <= n).all()
    assert (found.sum(2) <= n).all()
    if at_most:
        assert (scores[found] > 0).all()
    else:
        assert (found.sum((1, 2)) == n * m).all()


@pytest.mark.parametrize(("n", "m"), [(2, 4), (3, 5), (6, 8)])
@pytest.mark.parametrize("at_most", [False, True])
def test_entropic_where_scores_tie(n, m, at_most):
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 24})
    for family in range(7):
        scores = tiles(n, m, torch.float32, 35)[family::7].abs()
        masks = both("entropic", scores, n, at_most, **options)
        found, expected = ((scores * mask).sum() for mask in masks)
        assert found >= 0.99 * expected


def test_no_rounds_at_all():
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 0})
    scores = tiles(2, 4, torch.float64, 7)[:1]
    assert torch.equal(*both("entropic", scores, 2, False, **options))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("method", ["greedy", "two_approx", "entropic"])
def test_bad_scores_end_in_an_error(value, method):
    matrices = torch.ones(1, 8, 8)
    matrices[0, 1, :] = value
    with pytest.raises(ValueError, match=r"weights\[0, 1, 0\] is"):
        solve_batched(matrices, 2, 4, method=method, methods=FUSED)


def test_kernels_are_for_cuda():
    assert batched_methods(torch.device("cpu")) is IN_TORCH
