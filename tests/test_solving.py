"""`solve`: layouts, dtypes, axes, ragged and empty shapes, what a result holds."""

import ml_dtypes  # noqa: F401 - which tells NumPy of bfloat16 and others
import numpy as np
import pytest
from hypothesis import given

import masksolve as ms
from masksolve import Pattern, Status
from tests import broken, properties, strategies

RNG = np.random.default_rng(7)
WEIGHTS = RNG.integers(-7, 8, (12, 21)).astype(float)  # exact in every dtype below

LAYOUTS = {
    "Fortran": np.asfortranarray(WEIGHTS),
    "every other": np.repeat(np.repeat(WEIGHTS, 2, axis=0), 3, axis=1)[::2, ::3],
    "negative strides": WEIGHTS[::-1, ::-1].copy()[::-1, ::-1],
    "broadcast back": np.stack([WEIGHTS, WEIGHTS * np.nan], axis=-1)[..., 0],
    "big-endian": WEIGHTS.astype(">f8"),
    "nested lists": WEIGHTS.tolist(),
}
FLOATS = ["float16", "float32", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
DTYPES = [*FLOATS, "int8", "int16", "int32", "int64", "int4"]
PATTERNS = ["2:4", "3:8,at-most", "2:4,plain"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(layout, pattern):
    expected = ms.solve(WEIGHTS, pattern)
    found = ms.solve(LAYOUTS[layout], pattern)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.objective == expected.objective


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_does_not_matter(dtype, pattern):
    found, expected = ms.solve(WEIGHTS.astype(dtype), pattern), ms.solve(WEIGHTS, pattern)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.objective == expected.objective


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "uint4"])
def test_unsigned_integers(dtype):
    magnitude = np.abs(WEIGHTS)
    assert ms.solve(magnitude.astype(dtype), "2:4").objective == ms.solve(WEIGHTS, "2:4").objective


@pytest.mark.parametrize(
    ("lowest", "magnitude"),
    [(np.int8(-128), 128.0), (np.int16(-(2**15)), 2.0**15), (np.uint8(255), 255.0), (True, 1.0)],
)
def test_extremes_of_a_dtype_have_their_magnitude(lowest, magnitude):
    weights = np.zeros((4, 4), np.asarray(lowest).dtype)
    weights[1, 2] = lowest
    result = ms.solve(weights, "1:4")
    assert result.mask[1, 2]
    assert result.objective == magnitude


@pytest.mark.parametrize("method", ms.METHODS)
def test_weights_are_only_read(method):
    weights = WEIGHTS[:, :20].copy()
    weights.flags.writeable = False
    ms.solve(weights, "2:4", method=method, certify=True)
    np.testing.assert_array_equal(weights, WEIGHTS[:, :20])


def test_a_batch_is_a_stack_of_matrices():
    weights = RNG.normal(size=(2, 3, 8, 13))
    whole = ms.solve(weights, "2:4")
    assert whole.tiles.objective.shape == (2, 3, 2, 4)
    for index in np.ndindex(2, 3):
        one = ms.solve(weights[index], "2:4")
        np.testing.assert_array_equal(whole.mask[index], one.mask)
        np.testing.assert_array_equal(whole.tiles.objective[index], one.tiles.objective)
    assert whole.objective == pytest.approx(whole.tiles.objective.sum())


@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (-4, -3), (0, 3), (2, 1)])
def test_axes_name_the_matrix(axes):
    kernels = RNG.normal(size=(8, 12, 3, 5))  # a convolution: out, in, height, width
    found = ms.solve(kernels, "2:4", axes=axes)
    matrices = np.moveaxis(kernels, axes, (-2, -1))
    expected = ms.solve(matrices, "2:4")
    np.testing.assert_array_equal(np.moveaxis(found.mask, axes, (-2, -1)), expected.mask)
    assert found.objective == expected.objective
    assert found.axes == tuple(a % 4 for a in axes)
    ms.check_mask(found.mask, "2:4", axes=axes)
    ms.check_mask(found.mask, "2:4", axes=axes[::-1])


def test_axes_that_look_like_a_kernel_are_warned_of():
    kernels = np.ones((8, 12, 3, 3))
    words = r"axes \(2, 3\) of shape \(8, 12, 3, 3\) are smaller than one 4 x 4 tile; for a"
    with pytest.warns(UserWarning, match=words) as caught:
        ms.solve(kernels, "2:4")
    assert caught[0].filename == __file__
    ms.solve(kernels, "2:4", axes=(0, 1))  # a warning is an error in this suite
    ms.solve(kernels[0, 0], "2:4")  # not a batch


@pytest.mark.parametrize("method", ms.METHODS)
@pytest.mark.parametrize("pattern", ["2:4", "1:3", "3:4,at-most"])
def test_masks_serve_the_transpose_too(method, pattern):
    mask = ms.solve(WEIGHTS, pattern, method=method).mask
    filled = ms.repair(WEIGHTS, mask, pattern).mask
    ms.check_mask(filled, pattern)
    ms.check_mask(filled.T, pattern)
    ms.check_mask(filled.T, pattern, axes=(1, 0))


@given(strategies.matrices(), strategies.patterns(max_m=4))
def test_ragged_shapes_hold_at_most_n_in_partial_tiles(scores, pattern):
    properties.ragged(broken.exact, scores, pattern)


@pytest.mark.parametrize("fault", [broken.drops_partial_tiles, broken.fills_partial_tiles])
def test_planted_faults_at_the_edge_are_caught(fault):
    problem = np.ones((5, 4)), Pattern(1, 2)
    properties.catches(properties.ragged, broken.exact, fault, *problem)


def test_ragged_plain_groups_hold_at_most_n():
    result = ms.solve([[5.0, -1, 3, 2, -4, 1]], "3:4,plain", score=None)
    assert result.mask.astype(int).tolist() == [[1, 0, 1, 1, 0, 1]]
    assert result.objective == 11.0


@pytest.mark.parametrize("call", [ms.solve, lambda w, p, **k: ms.certify(w, w, p, **k)])
@pytest.mark.parametrize("threads", [None, 1, 2])
@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (0, 8, 8), (3, 0, 4)])
def test_empty_arrays_are_solved_at_once(shape, threads, call):
    result = call(np.zeros(shape), "2:4", threads=threads)
    assert (result.objective, result.upper_bound, result.gap) == (0.0, 0.0, 0.0)
    assert result.status is Status.OPTIMAL
    assert result.tiles.objective.size == 0


EMPTY = [(0, 8), (8, 0), (0, 0), (0, 8, 8), (3, 0, 8), (3, 8, 0), (0, 5, 5)]


@pytest.mark.parametrize("pattern", ["2:4", "4:4", "2:4,plain", "2:4,at-most"])
@pytest.mark.parametrize("method", ms.METHODS)
def test_empty_arrays_have_all_that_a_method_counts(method, pattern):
    if not (Pattern.parse(pattern).transposable or ms.METHODS[method].plain):
        return
    known = ms.solve(np.ones((9, 8)), pattern, method=method).stats
    for shape in EMPTY:
        found = ms.solve(np.ones(shape), pattern, method=method)
        assert found.stats.keys() == known.keys()
        assert {type(found.stats[key]) for key in known} == {int, float}
        assert (found.objective, found.upper_bound, found.status) == (0.0, 0.0, Status.OPTIMAL)


def test_empty_arrays_start_from_empty_results():
    for shape in EMPTY:
        weights = np.ones(shape)
        first = ms.solve(weights, "2:4", potentials=True)
        again = ms.solve(weights, "2:4", warm_start=first, potentials=True)
        assert again.stats["tiles_by_warm_start"] == 0
        assert again.tiles.column_potentials.shape == first.tiles.column_potentials.shape


def test_score_none_takes_the_array_as_it_is():
    signed = ms.solve(-np.eye(4), "1:4", score=None)
    assert (signed.objective, ms.solve(-np.eye(4), "1:4").objective) == (0.0, 4.0)


def test_score_may_be_any_function_of_the_whole_array():
    seen = []

    def squares(weights):
        seen.append(weights.shape)
        return np.square(weights, dtype=np.float32)

    found = ms.solve(WEIGHTS.astype(np.int8), "2:4", score=squares)
    assert seen == [WEIGHTS.shape]
    assert found.objective == ms.solve(WEIGHTS**2, "2:4").objective


@pytest.mark.parametrize("method", ["exact", "greedy", "two_approx", "min_cost_flow"])
def test_masks_do_not_depend_on_threads(method):
    weights = RNG.integers(-3, 4, (200, 1001))  # several boxes, partial tiles, many ties
    one, *more = (ms.solve(weights, "4:8", method=method, threads=t) for t in (1, 2, 3))
    for other in more:
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.tiles.objective, other.tiles.objective)
        assert (one.objective, one.upper_bound) == (other.objective, other.upper_bound)


COUNTED = {"exact": {"augmentations"}, "min_cost_flow": {"quantisation_loss"}}


@pytest.mark.parametrize("method", ["exact", "min_cost_flow", "enumerate", "greedy", "two_approx"])
def test_stats(method):
    counted = COUNTED.get(method, set())
    stats = ms.solve(np.ones((8, 13)), "2:4", method=method, threads=2).stats
    assert {"seconds", "threads", "tiles", "short_tiles"} | counted <= set(stats)
    assert (stats["threads"], stats["tiles"]) == (2, 8)
    assert stats["seconds"] > 0
    assert all(stats[name] >= 0 for name in counted)


def test_result_fields_and_text():
    result = ms.solve(np.eye(4), Pattern(1, 4))
    judged = ms.certify(np.eye(4), result.mask, "1:4")
    text = "MaskResult(1:4, exact, shape=(4, 4), objective=4, upper_bound=4, OPTIMAL)"
    assert repr(result) == text
    assert repr(judged) == "Certificate(1:4, objective=4, upper_bound=4, OPTIMAL)"
    assert "upper_bound=None, FEASIBLE" in repr(ms.solve(np.eye(4), "1:4", method="greedy"))
    assert result.mask.dtype == bool
    assert (result.pattern, result.axes, result.method) == (Pattern(1, 4), (0, 1), "exact")
    assert result.tiles.row_potentials is result.tiles.column_potentials is None
    with pytest.raises(AttributeError):
        result.mask = None


def test_bounds_add_up():
    result = ms.solve(RNG.normal(size=(16, 24)), "4:8", method="greedy", certify=True)
    tiles = result.tiles
    assert result.gap == pytest.approx((tiles.upper_bound - tiles.objective).sum())
    assert result.upper_bound == pytest.approx(tiles.upper_bound.sum())
    assert result.upper_bound - result.objective == pytest.approx(result.gap)
