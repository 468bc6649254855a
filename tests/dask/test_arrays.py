"""Dask arrays have the masks of arrays in memory, whatever the chunks, and lazily."""

import warnings
from itertools import pairwise

import dask
import dask.array as da
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
import masksolve.dask as msd
from masksolve.dask import arrays as module

DTYPES = [np.float64, np.float32, np.float16, np.int8, bool, ml_dtypes.bfloat16]


@st.composite
def chunkings(draw, size):
    """Draw the chunks of an axis, mostly in no relation to any tile."""
    borders = draw(st.sets(st.integers(0, size), max_size=4))
    edges = sorted({0, size} | borders)
    return tuple(b - a for a, b in pairwise(edges)) or (0,)


@st.composite
def problems(draw):
    """Draw weights with ties, chunks, the axes of the matrix, a pattern."""
    shape = draw(st.lists(st.integers(1, 17), min_size=2, max_size=3).map(tuple))
    if draw(st.booleans()):
        shape = (draw(st.integers(0, 3)), *shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(-draw(st.integers(0, 9)), 4, shape).astype(draw(st.sampled_from(DTYPES)))
    chunks = tuple(draw(chunkings(size)) for size in shape)
    m = draw(st.integers(1, 8))
    pattern = ms.Pattern(
        draw(st.integers(1, m)), m, transposable=draw(st.booleans()), at_most=draw(st.booleans())
    )
    axes = draw(st.permutations(range(len(shape))))[:2]
    return weights, chunks, pattern, tuple(axes)


def same_as_numpy(weights, chunks, pattern, axes, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of matrices smaller than a tile
        lazy = msd.solve(da.from_array(weights, chunks=chunks), pattern, axes=axes, **options)
        known = ms.solve(weights, pattern, axes=axes, threads=1, **options)
    found = lazy.compute(scheduler="synchronous")
    assert lazy.mask.chunks == chunks
    assert lazy.mask.dtype == found.mask.dtype == bool
    np.testing.assert_array_equal(found.mask, known.mask)
    assert found.objective == pytest.approx(known.objective, rel=1e-12)
    assert found.gap == (None if known.gap is None else pytest.approx(known.gap, abs=1e-9))
    assert found.status is known.status
    assert (found.pattern, found.axes, found.method) == (pattern, axes, known.method)
    for name in ("tiles", "short_tiles", "threads"):
        assert found.stats[name] == known.stats[name]


@given(problems())
def test_masks_are_those_of_numpy(problem):
    same_as_numpy(*problem)


@settings(max_examples=20)
@given(problems(), st.sampled_from(["greedy", "two_approx"]), st.booleans())
def test_so_are_those_of_other_methods(problem, method, certify):
    weights, chunks, pattern, axes = problem
    pattern = ms.Pattern(pattern.n, pattern.m, at_most=pattern.at_most)
    same_as_numpy(weights, chunks, pattern, axes, method=method, certify=certify)


def test_chunks_that_cut_through_tiles_would_be_noticed(monkeypatch):
    weights = np.random.default_rng(0).normal(size=(12, 12))
    problem = (weights, ((6, 6), (5, 7)), ms.Pattern(2, 4), (0, 1))
    same_as_numpy(*problem)
    monkeypatch.setattr(module, "aligned", lambda chunks, side: tuple(chunks))
    with pytest.raises(AssertionError):
        same_as_numpy(*problem)


BY = [("threads", "float32"), ("threads", "float8_e4m3fn"), ("processes", "bfloat16")]


@pytest.mark.parametrize(("scheduler", "dtype"), BY)
def test_schedulers(scheduler, dtype):
    weights = np.random.default_rng(1).normal(size=(45, 70)).astype(dtype)
    lazy = msd.solve(da.from_array(weights, chunks=(15, 33)), "4:8")
    found = lazy.compute(scheduler=scheduler, num_workers=2)
    np.testing.assert_array_equal(found.mask, ms.solve(weights, "4:8").mask)
    assert found.stats["threads"] == 1


def fail(*_):
    raise RuntimeError("computed")


def test_nothing_is_computed_before_it_is_asked_for():
    never = da.map_blocks(fail, da.zeros((20, 20), chunks=7), meta=np.empty((0, 0)))
    for score in (np.abs, None, np.square):
        r = msd.solve(never, "2:4", score=score)
        repr(r), r.objective, r.upper_bound, r.gap, r.status, r.stats
        assert r.mask.dtype == bool
        assert r.objective.dtype == r.gap.dtype == r.upper_bound.dtype == np.float64
        assert r.objective.shape == r.status.shape == ()
        with pytest.raises(RuntimeError, match="computed"):
            r.mask.compute(scheduler="synchronous")


def test_what_is_computed_together_is_solved_once():
    calls = []

    def load(block, block_id=None):
        calls.append(block_id)
        return block

    source = da.map_blocks(load, da.ones((16, 16), chunks=8), meta=np.empty((0, 0)))
    r = msd.solve(source, "2:4")
    mask, kept, bound, status, stats = dask.compute(
        r.mask, r.objective, r.upper_bound, r.status, r.stats, scheduler="synchronous"
    )
    assert len(calls) == 4
    assert (mask.sum(), kept, bound, status) == (128, 128, 128, ms.Status.OPTIMAL)
    assert stats["tiles"] == 16
    r.compute(scheduler="synchronous")
    assert len(calls) == 8
    held = r.persist(scheduler="synchronous")
    assert held.compute(scheduler="synchronous").objective == 128
    assert (held.status.compute(), held.gap.compute()) == (ms.Status.OPTIMAL, 0)
    assert len(calls) == 12


def test_scores_are_made_of_the_whole_array_lazily():
    weights = np.random.default_rng(2).normal(size=(24, 20))
    chunked = da.from_array(weights, chunks=(7, 9))
    norms = np.arange(1.0, 21)
    for score in (None, np.square, lambda w: np.abs(w) * norms, lambda w: w - w.mean()):
        found = msd.solve(chunked, "4:8", score=score).mask.compute(scheduler="synchronous")
        np.testing.assert_array_equal(found, ms.solve(weights, "4:8", score=score).mask)


@pytest.mark.parametrize("score", [np.abs, None, np.square])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 2.0**970])
def test_what_is_not_finite_is_named_as_in_memory(value, score):
    if score is np.square:
        value = np.sqrt(np.abs(value)) * 2
    weights = np.ones((3, 19, 21))
    weights[1, 17, 13] = value
    lazy = msd.solve(da.from_array(weights, chunks=(2, 5, 8)), "2:4", score=score)
    with pytest.raises(ms.InvalidInput) as known:
        ms.solve(weights, "2:4", score=score)
    with pytest.raises(ms.InvalidInput) as found:
        lazy.compute(scheduler="threads")
    assert str(found.value) == str(known.value)
    assert "[1, 17, 13]" in str(known.value)


def unknown():
    array = da.ones((8, 8), chunks=4)
    return array[array[:, 0] > 0]


W = da.ones((8, 8), chunks=4)
REFUSED = [
    (np.ones((8, 8)), {}, "weights must be a dask array, got ndarray"),
    (unknown(), {}, "weights has chunks of unknown size: call its compute_chunk_sizes() first"),
    (W.astype(complex), {}, "weights has dtype complex128: expected float8, float16"),
    (da.ma.masked_equal(W, 1), {}, "weights is a masked array: fill it first"),
    (W[0], {}, "weights must have at least 2 dimensions, got 1"),
    (W, {"axes": (0, 2)}, "axis 2 is out of range for weights with 2 dimensions"),
    (W, {"threads": 0}, "threads must be a positive integer or None, got 0"),
    (W, {"pattern": "5:4"}, "pattern '5:4' keeps 5 of 4: n must be at most m"),
    (W, {"method": "best"}, "unknown method 'best'"),
    (W, {"options": {"depth": 1}}, "method 'exact'"),
    (W, {"score": 3}, "score must be a function or None, got int"),
    (W, {"score": np.asarray}, "score(weights) must be a dask array, got ndarray"),
    (W, {"score": lambda w: w[0]}, "score(weights) has shape (8,): expected that of weights"),
]


@pytest.mark.parametrize(("weights", "options", "words"), REFUSED)
def test_refused_at_once(weights, options, words):
    with pytest.raises(ms.MasksolveError) as caught:
        msd.solve(weights, **{"pattern": "2:4"} | options)
    assert str(caught.value).startswith(words), str(caught.value)


def test_blocks_that_are_not_numpys_are_refused():
    class Other(np.lib.mixins.NDArrayOperatorsMixin):
        """An array of another library, as far as dask looks."""

        dtype, ndim, shape = np.dtype(float), 2, (0, 0)
        __array_function__ = __array_ufunc__ = fail

        def __getitem__(self, index):
            return self

    array = da.Array({("x", 0, 0): 1}, "x", ((8,), (8,)), meta=Other())
    with pytest.raises(ms.InvalidInput, match=r"Other: expected NumPy arrays$"):
        msd.solve(array, "2:4")


def test_kernels_are_warned_of_once_and_by_the_whole_shape():
    kernels = da.ones((64, 32, 3, 3), chunks=(16, 32, 3, 2))
    with pytest.warns(UserWarning, match=r"shape \(64, 32, 3, 3\) are smaller") as caught:
        lazy = msd.solve(kernels, "2:4")
    assert len(caught) == 1
    assert lazy.compute(scheduler="threads").mask.shape == (64, 32, 3, 3)


def test_a_computed_mask_can_be_kept(tmp_path):
    found = msd.solve(W, "2:4", method="greedy").compute(scheduler="synchronous")
    assert repr(found).startswith("ComputedMask(2:4, greedy, shape=(8, 8), objective=32, upper")
    assert found.upper_bound is found.gap is None
    ms.save_masks(tmp_path / "masks.safetensors", {"w": found})
    stored = ms.load_masks(tmp_path / "masks.safetensors")["w"]
    np.testing.assert_array_equal(stored.mask, found.mask)
    assert stored.objective == 32
