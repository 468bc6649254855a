"""Plans against sums done by hand, and samples against whole populations."""

import json
import sys
import types
from math import ceil, comb, log2

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masksolve as ms
from masksolve import diversity
from masksolve.planning.costs import capacity, index_bits, slots
from masksolve.planning.measure import ratio_estimate
from tests import naive
from tests.storage.files import contents, write_file

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
    sides = st.integers(1, 9)
    values = st.integers(-6, 6)  # with ties and zeros
    return st.tuples(sides, sides).flatmap(
        lambda shape: st.lists(
            st.lists(values, min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        ).map(lambda rows: np.array(rows, dtype=dtype))
    )


@pytest.fixture
def weights():
    return np.random.default_rng(0).normal(size=(24, 40)).astype(np.float32)


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
        fits = [k for k in range(2 ** len(group)) if (k.bit_count() == p.n if exact
                else k.bit_count() <= p.n)]  # fmt: skip
        bits += ceil(log2(len(fits)))
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
    for key in (
        "weights",
        "kept_weights",
        "tiles",
        "partial_tiles",
        "dense_bits",
        "index_bits",
    ):
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


@pytest.mark.parametrize(
    "dtype",
    [np.int8, np.int64, np.uint16, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn],
)
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
    assert (
        square.kept == given_scores.kept == ms.solve(weights, "2:4", score=np.square).objective
    )


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


# Where weights come from


def test_a_file_and_a_mapping_agree(weights, tmp_path):
    tensors = {
        "w": weights,
        "bias": weights[0],
        "ids": np.arange(16).reshape(4, 4),
        "none": np.empty((0, 8), np.float32),
        "v": weights.astype(np.float16),
    }
    file = write_file(tmp_path / "model", tensors)
    chosen = {name: tensors[name] for name in ("w", "v")}
    want = ms.plan(chosen, ["2:4"]).to_dict()
    assert ms.plan(file, ["2:4"]).to_dict() == want
    assert ms.plan(str(file), ["2:4"]).to_dict() == want


class FakeParameter:
    """What a plan may ask of a parameter, and no more."""

    def __init__(self, array, floating=True):
        self.array, self.floating = array, floating
        self.shape, self.ndim = array.shape, array.ndim

    def is_floating_point(self):
        return self.floating

    def element_size(self):
        return self.array.dtype.itemsize

    def detach(self):
        return self

    def cpu(self):
        return self

    def float(self):
        return FakeParameter(self.array.astype(np.float32))

    def numpy(self):
        assert self.array.dtype in (np.float32, np.float64)
        return self.array


def fake_module(**parameters):
    return types.SimpleNamespace(named_parameters=lambda: parameters.items())


def test_a_module_by_its_parameters(weights):
    half = weights.astype(ml_dtypes.bfloat16)
    module = fake_module(
        w=FakeParameter(weights), half=FakeParameter(half), bias=FakeParameter(weights[0]),
        codes=FakeParameter(weights, floating=False),
    )  # fmt: skip
    assert (
        ms.plan(module, ["2:4"]).to_dict()
        == ms.plan({"w": weights, "half": half}, ["2:4"]).to_dict()
    )


def test_a_torch_module(weights):
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(40, 24, dtype=torch.bfloat16)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights))
    (row,) = ms.plan(torch.nn.Sequential(linear), ["2:4"]).layers
    want = ms.solve(weights.astype(ml_dtypes.bfloat16), "2:4").objective
    assert (row.name, row.kept, row.dense_bits) == ("0.weight", want, 16 * 960)


# Samples


def exact_share(weights, pattern):
    return ms.plan(weights, [pattern]).rows[0].kept_share


def covered(weights, pattern, sample, seeds, stretch=1.0):
    """Share of the seeds whose interval holds the truth, stretched about its middle."""
    truth = exact_share(weights, pattern)
    hits = 0
    for seed in range(seeds):
        row = ms.plan(weights, [pattern], sample=sample, seed=seed, threads=1).rows[0]
        low, high = row.interval
        middle, half = (low + high) / 2, stretch * (high - low) / 2
        hits += abs(truth - middle) <= half
    return hits / seeds


@pytest.fixture(scope="module")
def uneven():
    """Tiles of very different size, ragged at both edges."""
    rng = np.random.default_rng(4)
    rows = rng.lognormal(sigma=0.7, size=(131, 1))
    return (rng.normal(size=(131, 126)) * rows).astype(np.float32)


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain", "4:8"])
def test_intervals_hold_the_truth(uneven, pattern):
    # 300 draws of 95 %: within 3 standard errors, and some for 40 tiles being few.
    assert 0.90 <= covered(uneven, pattern, 40, 300) <= 0.99


def test_intervals_half_as_wide_do_not(uneven):
    assert covered(uneven, "2:4", 40, 300, stretch=0.5) < 0.80


def test_estimates_are_right_on_average(uneven):
    truth = exact_share(uneven, "2:4")
    found = [
        ms.plan(uneven, ["2:4"], sample=60, seed=seed, threads=1).rows[0].kept_share
        for seed in range(100)
    ]
    assert np.mean(found) == pytest.approx(truth, abs=4 * np.std(found) / 10)


def test_a_sample_of_all_tiles_is_no_sample(weights):
    want = ms.plan(weights, ["2:4"])
    assert ms.plan(weights, ["2:4"], sample=60).rows == want.rows
    assert ms.plan(weights, ["2:4"], sample=10**9).rows == want.rows


def test_a_sample_of_equal_tiles_is_exact():
    weights = np.tile(np.arange(16.0).reshape(4, 4), (8, 8))
    row = ms.plan(weights, ["2:4"], sample=5).rows[0]
    assert row.solved_tiles == 5
    assert row.kept == pytest.approx(ms.solve(weights, "2:4").objective)
    assert row.interval == pytest.approx((row.kept_share, row.kept_share))


def test_samples_depend_on_the_seed_alone(uneven):
    one = ms.plan(uneven, ["2:4", "1:4"], sample=30, seed=7, threads=1)
    two = ms.plan(uneven, ["1:4", "2:4"], sample=30, seed=7, threads=2)
    assert one.rows == two.rows[::-1]
    assert one.rows != ms.plan(uneven, ["2:4", "1:4"], sample=30, seed=8).rows


def test_layers_are_drawn_independently(uneven):
    one, two = ms.plan({"a": uneven, "b": uneven}, ["2:4"], sample=30).layers
    assert one.kept != two.kept
    (total,) = ms.plan({"a": uneven, "b": uneven}, ["2:4"], sample=30).rows
    assert total.variance == pytest.approx(one.variance + two.variance)
    assert total.solved_tiles == 60


def test_the_variance_is_that_of_the_ratio_estimator():
    rng = np.random.default_rng(5)
    size = rng.uniform(1, 2, 400)
    part = size * rng.uniform(0.4, 0.8, 400)
    draws = [rng.choice(400, 80, replace=False) for _ in range(2000)]
    found = [ratio_estimate(part[d], size[d], 400, size.sum()) for d in draws]
    estimates, variances = np.array(found).T
    assert np.mean(estimates) == pytest.approx(part.sum(), rel=2e-3)
    assert np.mean(variances) == pytest.approx(np.var(estimates), rel=0.1)


# What comes back


def test_a_pattern_that_comes_twice_counts_once(weights):
    plan = ms.plan(weights, ["2:4", ms.Pattern(2, 4), "2:4,plain"])
    assert [str(row.pattern) for row in plan.rows] == ["2:4", "2:4,plain"]
    assert ms.plan(weights, "2:4").rows == plan.rows[:1]


def test_default_patterns(weights):
    patterns = [str(row.pattern) for row in ms.plan(weights).rows]
    assert patterns == ["1:4", "2:4", "2:8", "4:8", "8:16", "16:32"]


def test_json(weights):
    content = json.loads(json.dumps(ms.plan(weights, ["2:4", "4:8"], sample=3).to_dict()))
    assert [row["pattern"] for row in content["rows"]] == ["2:4", "4:8"]
    assert content["rows"][0]["interval"][0] < content["rows"][0]["kept_share"]
    assert content["rows"][0]["hardware"][0]["sources"][0].startswith("https://")
    assert content["rows"][1]["hardware"] == []


def test_text(weights):
    text = str(ms.plan(weights, ["2:4", "4:8,plain", "16:32"], sample=3))
    for words in (
        "2:4",
        "4:8,plain",
        "none found",
        "±",
        "95 %",
        "weight gradient",
        "2 of 2 at m = 32",
    ):
        assert words in text
    assert repr(ms.plan(weights, ["2:4"])) == "Plan(2:4; 1 layers)"


def test_progress(weights):
    steps = []
    ms.plan({"a": weights, "b": weights}, ["2:4", "4:8"], progress=lambda *s: steps.append(s))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("weights", "arguments", "words"),
    [
        ([[1.0, np.nan]], {}, "weights[0, 1] is nan"),
        ({"a": [[1.0]], "b": [[np.inf]]}, {}, "tensor 'b': weights[0, 0] is inf"),
        (
            {"a": [[1.0]], "b": [[-np.inf]]},
            {"score": None},
            "tensor 'b': weights[0, 0] is -inf",
        ),
        ({"a": [1.0, 2.0]}, {}, "tensor 'a': weights must have at least 2 dimensions"),
        ({"a": [["x"]]}, {}, "tensor 'a': weights has dtype"),
        ([[-1.0]], {"score": None}, "negative scores"),
        ([[1.0]], {"score": np.negative}, "negative scores"),
        ([[1.0]], {"score": 3}, "score must be a function"),
        ({}, {}, "the mapping holds no array"),
        (np.empty((0, 3)), {}, "holds no matrix"),
        (fake_module(bias=FakeParameter(np.ones(3))), {}, "holds no 2-D float parameter"),
        ([[1.0]], {"patterns": []}, "patterns is empty"),
        ([[1.0]], {"patterns": 3}, "patterns must be a list"),
        ([[1.0]], {"patterns": ["2:4", "5:4"]}, "n must be at most m"),
        ([[1.0]], {"patterns": ["2:4", 3]}, "must be a Pattern or a string"),
        ([[1.0]], {"sample": 0}, "sample must be an integer of at least 2 or None, got 0"),
        ([[1.0]], {"sample": -3}, "got -3"),
        ([[1.0]], {"sample": 2.5}, "got 2.5"),
        ([[1.0]], {"seed": -1}, "seed must be an integer of 0 or more, got -1"),
        ([[1.0]], {"axes": (0, 0)}, "axes must differ"),
        ([[1.0]], {"threads": 0}, "threads must be a positive integer"),
        ([[1.0]], {"progress": 3}, "progress must be"),
    ],
)
def test_bad_input(weights, arguments, words):
    with pytest.raises(ms.MasksolveError) as caught:
        ms.plan(weights, **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path, weights):
    with pytest.raises(ms.FileFormatError, match="missing: No such file"):
        ms.plan(tmp_path / "missing")
    vectors = write_file(tmp_path / "vectors", {"bias": weights[0]})
    with pytest.raises(ms.InvalidInput, match="vectors holds no 2-D float tensor"):
        ms.plan(vectors)
    weights[3, 5] = np.nan
    bad = write_file(tmp_path / "bad", {"good": weights[:3], "bad": weights})
    with pytest.raises(ms.InvalidInput, match=r"bad: tensor 'bad': weights\[3, 5\] is nan"):
        ms.plan(bad)


# The picture


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_a_picture(weights, tmp_path, ending):
    path = tmp_path / f"plan.{ending}"
    ms.plan(weights, ["2:4", "4:8,at-most", "2:8,plain"], sample=4).draw(path)
    assert path.stat().st_size > 5000
    assert contents(tmp_path).keys() == {path.name}


def test_one_density_and_unknown_counts_can_be_drawn(tmp_path):
    ms.plan(np.ones((64, 64)), ["16:32,at-most"]).draw(str(tmp_path / "one.png"))
    assert (tmp_path / "one.png").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plan.gif", "must end in .png, .svg or .pdf"),
        ("plan", "must end in"),
        ("nowhere/plan.png", "folder that does not exist"),
        ("folder.png", "is a folder"),
    ],
)
def test_pictures_that_cannot_be(weights, tmp_path, name, words):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ms.InvalidInput, match=words):
        ms.plan(weights, ["2:4"]).draw(tmp_path / name)
    assert contents(tmp_path) == {}


def test_without_matplotlib(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ms.InvalidInput, match="drawing needs matplotlib: pip install"):
        ms.plan(weights, ["2:4"]).draw(tmp_path / "plan.png")
    assert contents(tmp_path) == {}
