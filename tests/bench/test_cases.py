import ml_dtypes
import numpy as np
import pytest
from scipy import stats

import masksolve as ms
from masksolve.bench.activations import input_norms
from masksolve.bench.cases import CASES, make_scores
from masksolve.bench.encoder import encoder_layers
from masksolve.bench.tiling import to_tiles

PATTERNS = ["1:4", "2:4", "2:8", "4:8", "8:16", "16:32", "32:64"]
HERE = [
    pytest.param(name, marks=pytest.mark.skipif(bool(case.missing()), reason=f"needs {case.needs}"))
    for name, case in CASES.items()
]


@pytest.mark.parametrize("case", HERE)
def test_scores_are_what_solvers_take(case):
    for pattern, shape in [("1:4", (4, 4)), ("4:8", (64, 24)), ("32:64", (64, 128))]:
        scores = make_scores(case, *shape, pattern)
        assert (scores.shape, scores.dtype) == (shape, np.float32)
        assert scores.flags.c_contiguous
        assert ((scores >= 0) & (scores < np.inf)).all()


@pytest.mark.parametrize("case", HERE)
def test_a_seed_settles_the_scores(case):
    first = make_scores(case, 32, 48, "2:8", seed=1)
    np.testing.assert_array_equal(make_scores(case, 32, 48, "2:8", seed=1), first)
    assert (make_scores(case, 32, 48, "2:8", seed=2) == first).all() == (case == "all equal")
    assert not np.array_equal(make_scores(case, 48, 32, "2:8", seed=1), first)


def test_cases_are_independent_and_the_same_for_every_pattern():
    normal, rounded = (make_scores(c, 64, 64, "2:4") for c in ("normal", "bf16 grid"))
    assert abs(np.corrcoef(normal.ravel(), rounded.ravel())[0, 1]) < 0.1
    for pattern in PATTERNS:
        np.testing.assert_array_equal(make_scores("normal", 64, 64, pattern), normal)


def test_names_and_descriptions():
    for name, case in CASES.items():
        assert case.name == name
        assert case.description.endswith(".")


def test_distributions():
    def p_value(case, distribution, seed=0):
        scores = make_scores(case, 256, 256, "4:8", seed).ravel()
        return stats.kstest(scores, lambda x: 2 * distribution.cdf(x) - 1).pvalue

    assert p_value("normal", stats.norm) > 0.01
    assert p_value("heavy-tailed", stats.t(3)) > 0.01
    assert p_value("heavy-tailed", stats.norm) < 1e-9  # the test can fail


def test_rows_and_columns_differ_in_scale():
    scores = np.log(make_scores("scaled", 512, 512, "4:8") + 1e-9)
    for axis in (0, 1):
        assert 0.85 < np.median(scores, axis=axis).std() < 1.15


def test_low_rank():
    """(u . v)^2 of vectors of length 2 is a product of vectors of length 3."""
    squares = make_scores("low-rank", 128, 96, "4:8").astype(float) ** 2
    assert np.linalg.matrix_rank(squares, tol=1e-4 * squares.max()) == 3


def test_grids():
    bf16 = make_scores("bf16 grid", 256, 256, "4:8")
    np.testing.assert_array_equal(bf16, bf16.astype(ml_dtypes.bfloat16).astype(np.float32))
    int8 = make_scores("int8 grid", 256, 256, "4:8")
    np.testing.assert_array_equal(int8, np.round(int8))
    assert int8.max() == 127
    assert len(np.unique(int8)) > 64


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("case", ["against greedy", "against two_approx"])
def test_adversarial_tiles_are_as_bad_as_promised(case, pattern):
    m = ms.Pattern.parse(pattern).m
    scores = make_scores(case, 4 * m, 6 * m, pattern)
    best = ms.solve(scores, pattern)
    assert ms.certify(scores, best.mask, pattern, plain=True).status is ms.Status.OPTIMAL
    found = ms.solve(scores, pattern, method=case.removeprefix("against "))
    every = to_tiles(scores.astype(float), m).sum(axis=(1, 2)).reshape(4, 6)
    if case == "against greedy":
        ratio = found.tiles.objective / best.tiles.objective
        assert 0.5 <= ratio.min() <= ratio.max() <= 0.51
    else:
        ratio = (every - found.tiles.objective) / (every - best.tiles.objective)
        assert 1.95 <= ratio.min() <= ratio.max() <= 2


def test_adversarial_tiles_differ_and_are_shuffled():
    tiles = to_tiles(make_scores("against greedy", 64, 64, "4:8"), 8)
    blocks = {tile.round(2).tobytes() for tile in tiles}
    assert len(blocks) == len(tiles)
    assert np.mean([len(np.unique(tile)) for tile in tiles]) > 0.99 * 64


@pytest.mark.parametrize("pattern", ["3:4", "2:5", "4:4"])
def test_adversarial_blocks_must_fit(pattern):
    m = ms.Pattern.parse(pattern).m
    with pytest.raises(ms.InvalidInput, match="cannot be made for"):
        make_scores("against greedy", m, m, pattern)


def test_sides_must_be_multiples():
    with pytest.raises(ms.InvalidInput, match="12 x 8 is not made of tiles of 8 x 8"):
        make_scores("normal", 12, 8, "4:8")


def drawn(case, rows, columns, pattern):
    """Return the tiles of a case as bytes."""
    tiles = to_tiles(make_scores(case, rows, columns, pattern), ms.Pattern.parse(pattern).m)
    return [tile.tobytes() for tile in tiles]


def real(layers, m):
    """Return all aligned tiles of the layers as bytes, cut by hand."""
    return {
        np.abs(w[i : i + m, j : j + m]).tobytes()
        for w in layers
        for i in range(0, w.shape[0] - m + 1, m)
        for j in range(0, w.shape[1] - m + 1, m)
    }


@pytest.mark.parametrize("pattern", ["8:16", "4:9"])
def test_encoder_tiles_are_tiles_of_its_layers(pattern):
    m = ms.Pattern.parse(pattern).m
    tiles = drawn("encoder", 40 * m, 30 * m, pattern)
    assert len(set(tiles)) == len(tiles)
    assert set(tiles) < real(encoder_layers().values(), m)


def test_encoder_tiles_repeat_only_when_all_are_out():
    every = real(encoder_layers().values(), 64)
    assert len(every) == 2592
    tiles = drawn("encoder", 40 * 64, 65 * 64, "32:64")
    assert set(tiles) == every
    assert max(map(tiles.count, every)) == 2


def test_second_order_tiles_are_weighted_by_their_columns():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    norms = input_norms()
    layers = [np.abs(w) * norms[name][None, :] for name, w in encoder_layers().items()]
    assert set(drawn("encoder, second order", 320, 320, "16:32")) < real(layers, 32)
