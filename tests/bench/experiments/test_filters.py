import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from masksolve.bench.experiments.filters.findings import Reader
from masksolve.bench.experiments.filters.sizes import SAMPLERS, SIZES
from masksolve.bench.experiments.filters.tables import errors

from . import helpers


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return helpers.smoke("filters", tmp_path_factory.mktemp("filters") / "filters.json")


def test_the_whole_experiment_in_small(run, monkeypatch, capsys):
    found, smoke = helpers.load("filters", run), SIZES["smoke"]
    assert len(found["runs"]) == smoke.seeds * len(SAMPLERS)
    for one in found["runs"]:
        assert [point["budget"] for point in one["points"]] == list(smoke.budgets)
        for point in one["points"]:
            draws = 1 if one["sampler"] in ("deterministic", "magnitude") else smoke.draws
            assert len(point["wrong"]) == len(point["layers"]) == len(point["share"]) == draws
            assert np.mean(point["share"]) == pytest.approx(point["budget"], abs=0.15)
    reader = Reader(found)
    for bound in ("certified", "proven", "published"):
        assert reader.promise(bound, "measured").share >= 0.99
    pictures, work = ("errors", "bounds", "kept"), ["prune", "trained"]
    text = helpers.check_the_whole("filters", run, pictures, work, monkeypatch)
    assert "is certain once filters are drawn" in text
    command_of_it = "`prune.py vgg-16 --budget 0.0513`"
    assert f"| CIFAR-10 | VGG-16 | {command_of_it} | 92.78 | -0.47 | 94.87 | 84.76 |" in text
    assert "promises kept" in capsys.readouterr().out


def test_an_interrupted_run_goes_on(run, monkeypatch, tmp_path):
    def there(folder, size, sampler, seed):
        return run.with_suffix(""), size, sampler, seed

    monkeypatch.setattr(helpers.module("filters"), "trained", lambda *arguments: None)
    out = tmp_path / "filters.json"
    done = helpers.check_it_goes_on("filters", run, out, "prune", monkeypatch, call=there)
    assert len(done) == 3


def made_up(wrong, seeds=3):
    """Findings of one budget, with errors of each sampler and seed."""
    budgets = [0.8, 0.5, 0.2]
    layer = {"name": "a", "published": None, "proven": 0.5, "certified": 0.4}
    layer |= {"measured": 0.2, "held_out": 0.45}
    network = {"dense": 0.01, "trained_on": 0.02, "filters": [8], "makers": [["a"]]}
    point = {"output": [0.1], "tuned": 0.01, "kept": [4], "layers": [[layer]]}

    def run(sampler, seed):
        points = [
            point | {"budget": budget, "share": [budget], "wrong": [found[seed]]}
            for budget, found in zip(budgets, wrong[sampler], strict=True)
        ]
        known = {"seed": seed, "sampler": sampler, "sensitivities": [3.0], "points": points}
        return network | known

    runs = [run(sampler, seed) for seed in range(seeds) for sampler in SAMPLERS]
    settings = SIZES["smoke"].settings() | {"budgets": budgets}
    return helpers.made_up(runs, settings=settings, seeds=seeds, parameters=100)


def test_what_is_read_from_figures():
    same = [[0.01, 0.02, 0.03]] * 3
    wrong = dict.fromkeys(SAMPLERS, same)
    wrong["hybrid"] = [[0.01, 0.02, 0.03], [0.0, 0.011, 0.02], [0.5, 0.5, 0.51]]
    reader = Reader(made_up(wrong))
    less = reader.less("hybrid", "magnitude", 0.5, "wrong")
    interval = stats.ttest_1samp([-0.01, -0.009, -0.01], 0).confidence_interval()
    assert less.mean - less.half == pytest.approx(interval.low)
    assert less.mean + less.half == pytest.approx(interval.high)
    assert less.sure
    assert not reader.less("random", "magnitude", 0.5, "wrong").sure
    assert reader.crossing("hybrid", "wrong", 0.01) == 0.5
    assert reader.crossing("random", "wrong", 0.01) == 0.2
    assert reader.crossing("random", "wrong", 0.005) == 1
    promise = reader.promise("certified", "held_out", ["random"])
    assert (promise.trials, promise.within) == (9, 0)
    assert promise.usual == pytest.approx(0.45 / 0.4)
    assert reader.promise("published", "measured").trials == 0
    rows = errors(reader, "wrong").rows
    assert rows[1][2].startswith("**1.0 ± ")
    assert not rows[2][2].startswith("**")
    assert rows[-1] == ("dense", *["1.0 ± 0.0"] * 5)
    text = helpers.filled("filters", made_up(wrong)).text()
    assert "hybrid is better at 50 % but is worse at 20 %" in text
    assert "](pictures/filters-errors.png)" in text
