import json
from importlib import import_module

import numpy as np
import pytest
from scipy import stats

import masksolve as ms
from masksolve.bench.experiments.diversity.constraints import CONSTRAINTS, DENSE, Constraint
from masksolve.bench.experiments.diversity.findings import difference, groups, reversed_pairs
from masksolve.bench.experiments.diversity.ranks import kendall, spearman
from masksolve.bench.experiments.diversity.tables import tables

from . import helpers

SHAPES = [(32, 64), (32, 32)]
SOME = [Constraint(1 / 2), *(Constraint(1 / 2, ms.Pattern.parse(p)) for p in ("2:4,plain", "4:8"))]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: c.label)
def test_masks_keep_the_density_and_obey(constraint):
    scores = np.abs(np.random.default_rng(0).standard_normal((3, 32, 64), np.float32))
    mask = constraint.mask(scores)
    np.testing.assert_array_equal(mask.mean(axis=(1, 2)), constraint.density)
    if constraint.pattern is not None:
        ms.check_mask(mask, constraint.pattern)
    else:
        assert (scores[mask].reshape(3, -1).min(axis=1) >= _largest_pruned(scores, mask)).all()


def _largest_pruned(scores, mask):
    return np.where(mask, 0, scores).max(axis=(1, 2))


@pytest.fixture
def digits():
    for name in ("torch", "sklearn"):
        pytest.importorskip(name)
    return import_module("masksolve.bench.experiments.diversity.digits")


def test_dense_keeps_everything():
    assert DENSE.mask(np.ones((2, 4, 4), dtype=np.float32)).all()
    assert DENSE.bits([(4, 4)]) == 0


def test_the_paper_orders_the_pair_the_other_way_round():
    free, plain, both = SOME
    assert plain.bits(SHAPES) == pytest.approx(np.log2(6) / 4) == plain.paper_bits(SHAPES)
    assert both.bits(SHAPES) == pytest.approx(np.log2(116963796250) / 64)
    assert both.bits(SHAPES) < plain.bits(SHAPES) < both.paper_bits(SHAPES)
    assert plain.bits(SHAPES) < free.bits(SHAPES) < 1


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(spearman, stats.spearmanr), (kendall, stats.kendalltau)]
)
def test_rank_correlations_are_scipys(ours, theirs, ties):
    rng = np.random.default_rng(1)
    x, draws = rng.standard_normal(9), rng.standard_normal((9, 4))
    if ties:
        x, draws = np.round(x), np.round(draws)
    found = ours(x, draws)
    expected = theirs(x, draws.mean(axis=1))
    assert found.value == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue, abs=0.05)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("measure", [spearman, kendall])
def test_perfect_order_noise_and_no_order_at_all(measure):
    x = np.arange(8.0)
    sure = measure(x, np.repeat(-x[:, None], 5, axis=1))
    assert (sure.value, sure.low, sure.high) == pytest.approx((-1, -1, -1))
    assert sure.p < 0.001
    noise = measure(x, np.random.default_rng(2).standard_normal((8, 5)))
    assert noise.low < 0 < noise.high
    flat = measure(x, np.ones((8, 5)))
    assert (flat.value, flat.p) == (0, 1)


def test_pairs_and_differences():
    found = {
        "density": {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.25},
        "exact": {"a": 1.0, "b": 2.0, "c": 3.0, "d": 0.0},
        "paper": {"a": 2.0, "b": 1.0, "c": 3.0, "d": 4.0},
        "qualities": {"q": {"a": [1.0, 2.0], "b": [2.0, 5.0]}},
    }
    assert groups(found) == {"50%": ["a", "b", "c"], "25%": ["d"], "all": ["a", "b", "c", "d"]}
    assert reversed_pairs(found) == [("b", "a")]
    assert difference(found, "q", "b", "a") == pytest.approx((2, 1.96))


def test_masks_are_obeyed_and_renewed_in_training(digits):
    asked = []

    def spy(scores):
        asked.append(scores.copy())
        return SOME[2].mask(scores)

    nets = digits.Ensemble([0, 1])
    nets.train(range(4), spy, held=1)
    assert len(asked) == 2 * 3  # 27 batches while masks are renewed: the 1st, 11th and 21st
    for used, w, mask in zip(nets.used(), nets.weights, nets.masks, strict=False):
        ms.check_mask(mask.numpy() == 1, "4:8")
        np.testing.assert_array_equal(used, w * mask)
    held = [mask.clone() for mask in nets.masks]
    nets.train(range(4, 5))
    assert all((a == b).all() for a, b in zip(held, nets.masks, strict=True))


def test_a_seed_settles_everything(digits):
    def trained(seeds):
        nets = digits.Ensemble(seeds)
        nets.train(range(2), SOME[1].mask)
        return nets.weights[0].numpy()

    both = trained([3, 4])
    np.testing.assert_array_equal(both, trained([3, 4]))
    np.testing.assert_allclose(both[1], trained([4])[0], atol=1e-5)
    assert not np.array_equal(both[0], both[1])


def test_a_copy_goes_its_own_way(digits):
    nets = digits.Ensemble([0])
    before = nets.weights[0].clone()
    other = nets.copy()
    other.prune(SOME[1].mask)
    other.train(range(1))
    np.testing.assert_array_equal(nets.weights[0], before)
    assert all(bool(mask.all()) for mask in nets.masks)


@pytest.mark.usefixtures("digits")
def test_the_whole_experiment_in_small(tmp_path, monkeypatch, capsys):
    from masksolve.bench.experiments.diversity import experiment as command
    from masksolve.bench.experiments.diversity import measure

    monkeypatch.setattr(command, "CONSTRAINTS", SOME)
    monkeypatch.setattr(measure, "MATRICES", 2)
    layer = np.random.default_rng(3).standard_normal((32, 64), np.float32)
    monkeypatch.setattr(measure, "encoder_layers", lambda: {"a layer": layer})
    path, drawn = tmp_path / "found.json", []
    command.main(["--seeds", "2", "--processes", "1", "--out", str(path)])
    printed = capsys.readouterr().out
    assert "| 2:4 plain " in printed
    assert "Spearman's" in printed
    assert path.with_suffix(".png").stat().st_size > 10_000
    found = json.loads(path.read_text())
    assert [len(draws["4:8 T"]) for draws in found["qualities"].values()] == [1, 2, 2, 2, 2, 2]
    assert min(found["qualities"]["renewed"]["dense"]) > 0.85
    monkeypatch.setattr(command, "draw", lambda again, picture: drawn.append(again))
    command.main(["--read", str(path)])
    assert drawn == [found]
    with pytest.raises(SystemExit, match=r"^error: cannot read none\.json"):
        command.main(["--read", "none.json"])


def test_the_page_in_the_docs_holds_what_its_figures_say():
    found = json.loads((helpers.RESULTS / "diversity.json").read_text())
    page = (helpers.RESULTS / "diversity.md").read_text(encoding="utf-8")
    figures, spearmans, _, verdicts = tables(found)
    assert all(table.markdown() in page for table in (figures, spearmans, verdicts))
