import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from scipy import stats
from torch import nn

from masksolve.bench.experiments.dst.arms import DENSE, Arm
from masksolve.bench.experiments.dst.findings import Reader
from masksolve.bench.experiments.dst.published import ROWS
from masksolve.bench.experiments.dst.run import train
from masksolve.bench.experiments.dst.tables import masks
from masksolve.bench.experiments.dst.tasks import MAIN, TASKS
from masksolve.torch import dst

from . import helpers


def _short(task, epochs=6, every=2):
    return replace(task, epochs=epochs, every=every)


def test_a_run_with_thresholds():
    run = train(_short(TASKS[0]), Arm(1e-2), 0)
    assert len(run["accuracy"]) == len(run["remaining"]) == 3
    assert run["remaining"] == sorted(run["remaining"], reverse=True)
    assert set(run["layers"]) == {"1.weight", "3.weight", "5.weight"} == set(run["thresholds"])
    assert run["thresholds"]["1.weight"][0] < run["thresholds"]["1.weight"][-1]
    assert run["accuracy"][-1] > 0.6
    assert 0 < run["back"] < 0.5
    assert run["stored"] is None
    cut = run["cuts"]["8"]
    assert cut["remaining"] <= min(cut["stored"], run["remaining"][-1])
    assert run["milliseconds"] > 0


def test_a_seed_settles_a_run():
    task = _short(TASKS[0], epochs=2)
    runs = [train(task, Arm(1e-2), seed) for seed in (0, 0, 1)]
    for run in runs:
        del run["milliseconds"], run["seed"]
    assert runs[0] == runs[1] != runs[2]


def test_masks_chosen_by_thresholds_and_uniform_ones():
    task = _short(TASKS[0])
    run = train(task, Arm(1e-2, m=8), 0)
    shares = {name: values[-1] for name, values in run["layers"].items()}
    for name, values in run["patterns"].items():
        assert len(values) == 3
        assert shares[name] <= values[-1] / 8 + 0.1  # partial tiles have room for more
    assert run["remaining"][-1] <= run["stored"] <= 1
    assert run["cuts"] == {}
    uniform = train(task, Arm(pattern="2:8"), 0)
    assert uniform["stored"] == 0.25
    assert uniform["remaining"][-1] == pytest.approx(0.25, abs=0.02)
    assert uniform["layers"] == {}


def test_lstms_and_their_reset_rule(monkeypatch):
    task = _short(TASKS[2], epochs=2)
    seen = []
    convert = dst.convert
    monkeypatch.setattr(
        dst, "convert", lambda model, **how: seen.append(how) or convert(model, **how)
    )
    run = train(task, Arm(1e-2), 0)
    assert len(run["layers"]) == 16
    assert run["resets"] == 0
    train(task, Arm(1e-2, reset="everywhere"), 0)
    assert [how["reset_below"] for how in seen] == ["published", 0.01]
    assert all(how["select"] is nn.LSTM for how in seen)


def test_from_dense_starts_where_dense_ends():
    task = _short(TASKS[0])
    dense, sparse = train(task, DENSE, 0), train(task, Arm(1e-4, trained=True), 0)
    assert dense["remaining"] == []
    assert sparse["accuracy"][0] > dense["accuracy"][0]
    assert sparse["accuracy"][-1] >= dense["accuracy"][-1] - 0.02


def test_all_arms_are_told_apart():
    for task in TASKS:
        labels = [arm.label for arm in task.arms]
        assert len(set(labels)) == len(labels)
        assert labels[0] == "dense"
        assert task.epochs % task.every == 0
    arm = Arm(5e-3, kind="scalar", reset="everywhere", trained=True, m=8)
    assert arm.label == "alpha 0.005, scalar thresholds, reset everywhere, from dense, N:8"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return helpers.smoke("dst", tmp_path_factory.mktemp("dst") / "dst.json")


def test_the_whole_experiment_in_small(smoke, monkeypatch, capsys):
    pictures = ("sweep", "layers", "time", "masks")
    page = helpers.check_the_whole("dst", smoke, pictures, ["train"], monkeypatch)
    for words in (
        "**theirs**",
        "LeNet-300-100: the sweep",
        "lstm.weight_hh_l1.output",
        "python examples/dst/train.py vgg-16",
        "uniform 2:8",
    ):
        assert words in page
    assert "came back" in capsys.readouterr().out


def test_figures_read_from_runs(smoke):
    reader = Reader(helpers.load("dst", smoke))
    runs = reader.runs(MAIN, "alpha 0.01")
    left = [run["remaining"][-1] for run in runs]
    assert reader.mean(MAIN, "alpha 0.01", "remaining").mean == pytest.approx(sum(left) / 2)
    dense = [run["accuracy"][-1] for run in reader.runs(MAIN, "dense")]
    less = sum(run["accuracy"][-1] for run in runs) / 2 - sum(dense) / 2
    assert reader.less_dense(MAIN, "alpha 0.01").mean == pytest.approx(less)
    assert list(reader.swept(MAIN)) == [0.01, 0.05, 0.1]
    points = [
        (a, run["remaining"][-1])
        for a, arm in reader.swept(MAIN).items()
        for run in reader.runs(MAIN, arm)
    ]
    ranks = [stats.rankdata(values) for values in zip(*points, strict=True)]
    assert reader.ranks(MAIN) == pytest.approx(stats.pearsonr(*ranks).statistic)
    page = helpers.filled("dst", helpers.load("dst", smoke))
    assert len(page.tables) == 1 + 2 * 2 + 3
    ways = [row[0] for row in masks(reader).rows]
    assert ways == ["N:8 in training", "N:8 after training", "uniform 2:8"]


def test_the_sparsest_within_a_point():
    ends = {"dense": (0.95, 1.0), "alpha 1": (0.95, 0.5)}
    ends |= {"alpha 2": (0.941, 0.1), "alpha 3": (0.939, 0.05)}
    runs = [
        {"task": MAIN, "arm": arm, "seed": s, "accuracy": [accuracy], "remaining": [left]}
        for arm, (accuracy, left) in ends.items()
        for s in (0, 1)
    ]
    tasks = [{"name": MAIN, "arms": [*ends, "alpha 3, N:8"]}]
    reader = Reader({"tasks": tasks, "runs": runs, "seeds": 2})
    assert reader.sparsest(MAIN) == "alpha 2"
    assert reader.sparsest(MAIN, points=0.0) == "alpha 1"
    assert reader.sparsest(MAIN, points=-1) is None
    assert reader.ranks(MAIN) == pytest.approx(-1)


def test_the_papers_rows_have_a_command_the_script_takes():
    for row in ROWS:
        name = row.network.lower()
        assert row.command.startswith(f"python examples/dst/train.py {name} --data ")
        assert 0 < row.remaining < 40
    json.dumps([row.command for row in ROWS])
