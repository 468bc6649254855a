"""The kernels, through Triton's interpreter, against the same methods step by step."""

import numpy as np
import pytest
import torch

from masksolve.solvers import METHODS, as_options
from masksolve.torch.gpu.batched import entropic as entropic_file
from masksolve.torch.gpu.batched import fused, greedy, lines
from masksolve.torch.gpu.batched.entropic import entropic
from masksolve.torch.gpu.batched.solve import solve_batched
from tests.strategies import random_tiles

pytest.importorskip("triton")
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
"""What is kept for sure may grow without end."""

SIZES = [(1, 2), (2, 3), (3, 5), (2, 4), (4, 8), (5, 10), (8, 16), (8, 8)]
FILES = (lines, greedy, entropic_file)


@pytest.fixture
def by_kernels(monkeypatch):
    """Return a function that has a method's tiles solved by its kernel."""

    def solved(function, *arguments, **options):
        with monkeypatch.context() as patch:
            for file in FILES:
                patch.setattr(file, "usable", lambda tensor: True)
            return function(*arguments, **options)

    return solved


def tiles(n, m, dtype, count=None):
    count = count or max(7, 2000 // m**2)
    rng = np.random.default_rng([n, m])
    signs = rng.choice([-1, 1], (count, m, m))
    return torch.from_numpy(random_tiles(rng, count, m) * signs).to(dtype)


@pytest.mark.parametrize(("n", "m"), [*SIZES, (16, 32)])
@pytest.mark.parametrize("at_most", [False, True])
def test_selecting_and_greedy(by_kernels, n, m, at_most):
    scores = tiles(n, m, torch.float64 if m % 3 else torch.float32)
    for method in (lines.select, greedy.greedy):
        found = by_kernels(method, scores, n, at_most)
        assert torch.equal(found, method(scores, n, at_most))
    assert torch.equal(by_kernels(lines.select_both, scores, n), lines.select_both(scores, n))


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (3, 5), (16, 32), (8, 8)])
def test_plain_lines(by_kernels, n, m):
    scores = tiles(n, m, torch.float32)[:, :1].contiguous()
    for at_most in (False, True):
        found = by_kernels(lines.select, scores, n, at_most)
        assert torch.equal(found, lines.select(scores, n, at_most))


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("at_most", [False, True])
def test_entropic(by_kernels, n, m, dtype, at_most):
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 24})
    scores = tiles(n, m, dtype, 14)
    found = by_kernels(entropic, scores, n, at_most, **options)
    expected = entropic(scores, n, at_most, **options)
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
def test_entropic_where_scores_tie(by_kernels, n, m, at_most):
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 24})
    for family in range(7):
        scores = tiles(n, m, torch.float32, 35)[family::7].abs()
        found, expected = (
            (scores * mask).sum()
            for mask in (
                by_kernels(entropic, scores, n, at_most, **options),
                entropic(scores, n, at_most, **options),
            )
        )
        assert found >= 0.99 * expected


def test_no_rounds_at_all(by_kernels):
    options = as_options("entropic", METHODS["entropic"].options, {"rounds": 0})
    scores = tiles(2, 4, torch.float64, 7)[:1]
    found = by_kernels(entropic, scores, 2, False, **options)
    assert torch.equal(found, entropic(scores, 2, False, **options))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("method", ["greedy", "two_approx", "entropic"])
def test_bad_scores_end_in_an_error(by_kernels, value, method):
    matrices = torch.ones(1, 8, 8)
    matrices[0, 1, :] = value
    with pytest.raises(ValueError, match=r"weights\[0, 1, 0\] is"):
        by_kernels(solve_batched, matrices, 2, 4, method=method)


def test_kernels_are_for_cuda():
    assert not fused.usable(torch.zeros(1))
