"""Plans against sums done by hand."""

from math import ceil, comb, log2

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from masksolve import diversity
from masksolve.planning.costs import capacity, index_bits, slots
from tests import naive

PATTERNS = ["1:2", "2:3", "1:4", "2:4", "3:4", "2:4,at-most", "1:3,plain", "2:4,plain,at-most"]


def groups(length, m):
    return [range(k, min(k + m, length)) for k in range(0, length, m)]


def plain_best(scores, n, m):
    """Sort every group of every row: no array code."""
    return sum(
        sum(sorted((row[k] for k in group), reverse=True)[:n])
        for row in scores.tolist()
        for group in groups(len(row), m)
    )


def best(scores, p):
    if not p.transposable:
        return plain_best(scores, p.n, p.m)
    return naive.best_by_tile(scores, p.n, p.m, p.at_most)


def matrices(dtype=np.float32):
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return arrays(dtype, sides, elements=st.integers(-6, 6).map(dtype))  # with ties and zeros


@given(matrices(), st.sampled_from(PATTERNS))
def test_kept_scores_are_those_of_naive_sums(weights, pattern):
    p, scores = ms.Pattern.parse(pattern), np.abs(weights).astype(float)
    (row,) = ms.plan(weights, [p]).rows
    assert row.score == scores.sum()
    assert row.kept == best(scores, p)
    assert row.plain == plain_best(scores, p.n, p.m)
    assert row.unstructured == sum(sorted(scores.ravel())[::-1][: row.kept_weights])
    assert row.proven
    assert row.interval is None
    assert row.kept_share == (row.kept / row.score if row.score else 1)
    assert row.kept <= row.plain <= row.score
    # A plain mask may keep more weights at a ragged edge than a transposable one.
    assert row.kept <= row.unstructured


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(PATTERNS))
def test_capacity_is_what_the_best_mask_of_ones_keeps(rows, columns, pattern):
    p = ms.Pattern.parse(pattern)
    ones = np.ones((rows, columns))
    assert capacity(p, rows, columns) == best(ones, p)
    assert rows * slots(p, columns) == plain_best(ones, p.n, p.m)


@pytest.mark.parametrize("pattern", ["1:4", "2:4", "4:8", "8:16", "3:5"])
def test_storage(pattern):
    p = ms.Pattern.parse(pattern)
    side = 2 * p.m
    weights = np.random.default_rng(1).normal(size=(side, side)).astype(ml_dtypes.bfloat16)
    (row,) = ms.plan(weights, [p]).rows
    count = diversity.count(p, (p.m, p.m))
    assert row.storage == {
        "dense": 16,
        "values": 16 * p.n / p.m,
        "bitmap": 1,
        "index": ceil(log2(comb(p.m, p.n))) / p.m,
        "nvidia": 2 * p.n / p.m if pattern == "2:4" else None,
        "entropy": pytest.approx(log2(count) / p.m**2),
    }
    assert row.storage["entropy"] <= row.storage["index"] <= 1


@given(st.integers(1, 12), st.sampled_from(PATTERNS))
def test_an_index_can_tell_all_lines_apart(length, pattern):
    p = ms.Pattern.parse(pattern)
    bits = 0
    for group in groups(length, p.m):
        exact = len(group) == p.m and not p.at_most
        kept = [k.bit_count() for k in range(2 ** len(group))]
        bits += ceil(log2(sum(n == p.n if exact else n <= p.n for n in kept)))
    assert index_bits(p, length) == bits


@pytest.mark.parametrize(
    ("pattern", "shape", "forward", "backward"),
    [
        ("2:4", (8, 8), 1 / 2, 1 / 2),
        ("1:4", (8, 8), 3 / 4, 3 / 4),
        ("2:4,plain", (8, 8), 1 / 2, 0),
        ("2:4", (6, 9), 4 / 9, 1 / 3),  # ragged: 5 slots of 9, 4 of 6
        ("4:8", (4, 4), 0, 0),  # smaller than a tile: nothing is pruned
    ],
)
def test_arithmetic_saved(pattern, shape, forward, backward):
    (row,) = ms.plan(np.ones(shape), [pattern]).rows
    assert row.saved_forward == pytest.approx(forward)
    assert row.saved_backward == pytest.approx(backward)
    assert row.saved_training == pytest.approx((forward + backward) / 3)


def test_diversity_is_counted(weights):
    (row,) = ms.plan(weights, ["2:4"]).rows
    tiles = 6 * 10
    assert row.log10_masks == pytest.approx(tiles * np.log10(90))
    assert row.log10_plain == pytest.approx(weights.size / 4 * np.log10(6))
    assert row.log10_unstructured == pytest.approx(np.log10(float(comb(960, 480))))
    assert row.mask_entropy == pytest.approx(np.log2(90) / 16)
    assert row.exact


def test_a_count_that_nobody_knows():
    plan = ms.plan(np.ones((64, 64)), ["16:32,at-most"])
    (row,) = plan.rows
    assert (row.counted_weights, row.log10_masks, row.mask_entropy) == (0, 0, None)
    assert "unknown" in str(plan)


def test_partial_tiles_that_cannot_be_counted_are_left_out():
    plan = ms.plan({"a": np.ones((64, 80)), "b": np.ones((32, 32))}, ["16:32"])
    (row,) = plan.rows
    assert row.counted_weights == 64 * 64 + 32 * 32
    assert row.log10_masks == pytest.approx(diversity.log10("16:32", (32, 160)))
    assert row.mask_entropy == pytest.approx(diversity.bits("16:32"))
    assert "> ~10^" in str(plan)


@pytest.mark.parametrize("pattern", ["2:4", "4:8,at-most", "2:8,plain"])
def test_totals_are_sums_over_layers(weights, pattern):
    layers = {"a": weights, "b": weights[:13, :21].astype(np.float64), "c": 2 * weights.T}
    plan = ms.plan(layers, [pattern])
    (total,) = plan.rows
    assert [row.name for row in plan.layers] == ["a", "b", "c"]
    alone = [ms.plan(layer, [pattern]).rows[0] for layer in layers.values()]
    for key in ("weights", "kept_weights", "tiles", "partial_tiles", "dense_bits", "index_bits"):
        assert getattr(total, key) == sum(getattr(row, key) for row in alone)
    for key in ("score", "kept", "plain", "unstructured", "log10_masks"):
        assert getattr(total, key) == pytest.approx(sum(getattr(row, key) for row in alone))
    assert total.name == "all"


def test_batches_and_axes(weights):
    kernel = np.random.default_rng(2).normal(size=(8, 12, 3, 3))
    (row,) = ms.plan(kernel, ["2:4"], axes=(0, 1)).rows
    assert row.kept == pytest.approx(ms.solve(kernel, "2:4", axes=(0, 1)).objective)
    assert row.tiles == 9 * 6
    (one,) = ms.plan(weights, ["2:8,plain"], axes=(1, 0)).rows
    assert one.kept == pytest.approx(ms.solve(weights, "2:8,plain", axes=(1, 0)).objective)


DTYPES = ["int8", "int64", "uint16", "float16", "bfloat16", "float8_e4m3fn"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    weights = np.random.default_rng(3).integers(0, 9, (16, 24)).astype(dtype)
    for row in ms.plan(weights, ["2:4", "2:4,plain"]).rows:
        assert row.kept == pytest.approx(ms.solve(weights, row.pattern).objective)
        assert row.dense_bits == 8 * weights.nbytes


def test_the_smallest_integer_has_a_magnitude():
    (row,) = ms.plan(np.full((4, 4), -128, np.int8), ["1:4"]).rows
    assert (row.score, row.kept) == (16 * 128, 4 * 128)


def test_scores(weights):
    square = ms.plan(weights, ["2:4"], score=np.square).rows[0]
    given_scores = ms.plan(np.square(weights), ["2:4"], score=None).rows[0]
    assert square.kept == given_scores.kept == ms.solve(weights, "2:4", score=np.square).objective


def test_weights_are_not_modified(weights):
    before = weights.copy()
    weights.flags.writeable = False
    ms.plan(weights)
    np.testing.assert_array_equal(weights, before)


def test_no_score_at_all():
    plan = ms.plan(np.zeros((8, 8)), ["2:4"], sample=2)
    (row,) = plan.rows
    assert (row.kept_share, row.loss_to_plain, row.loss_to_unstructured) == (1, 0, 0)
    assert "100.00 %" in str(plan)
