import re

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("matplotlib")

import torch

from masksolve.bench.experiments.adaprune import texts
from masksolve.bench.experiments.adaprune.encoder import batches, embed, make
from masksolve.bench.experiments.adaprune.fidelity import fidelity
from masksolve.bench.experiments.adaprune.findings import Reader
from masksolve.bench.experiments.adaprune.sizes import (
    ABSORBED,
    ADAM,
    ADAPRUNE,
    MAIN,
    ONE_SHOT,
    RENEWED,
    SIZES,
    Arm,
)
from masksolve.bench.experiments.adaprune.tables import KINDS, layers, masks
from masksolve.bench.experiments.shared.experiment import common
from masksolve.errors import InvalidInput

from . import helpers

# Texts.


def test_texts_are_of_different_modules_and_the_same_for_a_seed():
    found = texts.library()
    every = [sentence for some in found.values() for sentence in some]
    assert len(every) == len(set(every)) > 1500
    assert not {"tkinter", "idlelib"} & set(found)
    assert max(len(some) for some in found.values()) == texts.MOST
    home = {sentence: module for module, some in found.items() for sentence in some}
    first, again, other = (texts.split(seed, 100, 80) for seed in (0, 0, 1))
    assert first == again != other
    assert (len(set(first.calibration)), len(set(first.held_out))) == (100, 80)
    modules = [{home[s] for s in some} for some in (first.calibration, first.held_out)]
    assert not modules[0] & modules[1]
    with pytest.raises(InvalidInput, match=r"plain sentences: expected 100000$"):
        texts.split(0, 100_000, 1)


# The encoder.


@pytest.fixture(scope="module")
def encoder():
    return make("all-MiniLM-L6-v2")


def test_the_real_encoder_knows_what_sentences_mean(encoder):
    cat, dog, file = embed(encoder, batches(["A cat sat.", "A dog lay.", "Opens the file."]))
    assert cat @ dog > cat @ file + 0.1
    assert cat @ dog > dog @ file + 0.1


def test_padding_changes_nothing(encoder):
    sentences = sorted(
        texts.split(0, 6, 6).held_out, key=lambda s: batches([s])[0]["input_ids"].shape
    )
    together = embed(encoder, batches(sentences))
    alone = torch.cat([embed(encoder, batches([sentence])) for sentence in sentences])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(6))


def test_fidelity_is_what_scipy_and_a_loop_say():
    rng = np.random.default_rng(0)
    dense, pruned = rng.normal(size=(2, 30, 8))
    pruned = dense + 0.5 * pruned
    dense, pruned = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (dense, pruned))
    found = fidelity(torch.tensor(dense), torch.tensor(pruned))
    cosines = [a @ b for a, b in zip(dense, pruned, strict=True)]
    correlations, common = [], []
    for query in range(30):
        others = [k for k in range(30) if k != query]
        before, after = ({k: x[query] @ x[k] for k in others} for x in (dense, pruned))
        correlations.append(stats.spearmanr(list(before.values()), list(after.values()))[0])
        near = [set(sorted(others, key=of.get)[-10:]) for of in (before, after)]
        common.append(len(near[0] & near[1]) / 10)
    assert found["cosine"] == pytest.approx(np.mean(cosines))
    assert found["lowest"] == pytest.approx(np.quantile(cosines, 0.05))
    assert found["spearman"] == pytest.approx(np.mean(correlations))
    assert found["nearest"] == pytest.approx(np.mean(common))
    same = fidelity(torch.tensor(dense), torch.tensor(dense))
    assert list(same.values()) == pytest.approx([1, 1, 1, 1])


# The experiment.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return helpers.smoke("adaprune", tmp_path_factory.mktemp("adaprune") / "adaprune.json")


def test_the_whole_experiment_in_small(run, monkeypatch, capsys):
    found, smoke = helpers.load("adaprune", run), SIZES["smoke"]
    assert len(found["runs"]) == smoke.seeds * len(smoke.arms)
    assert len(smoke.arms) == 2 * 9 + 1
    reader = Reader(found)
    for arm in smoke.arms:
        exact = arm.method == "exact"
        for one in reader.runs(arm):
            assert one["kept"] == pytest.approx(0.5, abs=0 if exact else 0.05)
            assert 0.3 < one["cosine"] <= 1
            assert bool(one["layers"]) == arm.by_data
        assert arm.recovery not in (ADAPRUNE, RENEWED) or reader.recovered(arm).mean > 0.5
    for pattern in reader.patterns:
        best, greedy, plain = (
            reader.mean(Arm(ONE_SHOT, *which), "magnitude").mean
            for which in ((pattern,), (pattern, "greedy"), (f"{pattern},plain",))
        )
        assert greedy < best < plain
    for one_shot, _, fitted in reader.layers(MAIN).values():
        assert fitted < one_shot
    pictures = ("fidelity", "masks", "layers")
    text = helpers.check_the_whole("adaprune", run, pictures, ["prune"], monkeypatch)
    assert "At transposable 4:8 the mean cosine falls to 0." in text
    options = "--pattern 4:8,plain --dense-ends --optimizer adam --mode parallel"
    assert f"| `prune.py resnet-50 --start dense.pth {options}` |" in text
    assert "| BERT | SQuAD, F1 | 88.53 | 87.12 | 70.32 | 18.75 |" in text
    assert "Exact masks against greedy ones" in capsys.readouterr().out


def test_an_interrupted_run_goes_on(run, monkeypatch, tmp_path):
    out = tmp_path / "adaprune.json"
    done = helpers.check_it_goes_on("adaprune", run, out, "prune", monkeypatch, ["seconds"])
    arms = [(arm, seed) for _, arm, seed in done]
    assert arms == [(Arm(ONE_SHOT, "2:4"), 0), (Arm(ADAM, MAIN), 0), (Arm(ADAM, MAIN), 1)]


def test_other_settings_and_other_texts_are_refused(run, monkeypatch):
    helpers.check_other_settings_are_refused("adaprune", run)
    other = {"os": ("Another Python's text.",)}
    monkeypatch.setattr(helpers.module("adaprune"), "library", lambda: other)
    with pytest.raises(SystemExit, match="holds runs of other settings"):
        helpers.smoke("adaprune", run)


# What is read from the figures.


NAMES = [f"encoder.layer.0.{kind}.weight" for kind in KINDS]


def made_up(cosines, seeds=3):
    """Findings of 4:8 alone, with a cosine of each arm and seed."""
    figures = {"lowest": 0.5, "spearman": 0.8, "nearest": 0.7, "kept": 0.5, "magnitude": 0.75}
    runs = [
        figures
        | {"recovery": arm.recovery, "pattern": arm.pattern, "method": arm.method, "seed": seed}
        | {"cosine": cosines.get(arm, [0.9] * seeds)[seed], "seconds": 1.0}
        | {"layers": {name: [0.3, 0.2, 0.1 * (seed + 1)] for name in NAMES if arm.by_data}}
        for arm in SIZES["smoke"].arms
        if MAIN in arm.pattern
        for seed in range(seeds)
    ]
    settings = common(SIZES["smoke"]) | {"widths": [8], "texts": "a"}
    texts = {"modules": 9, "sentences": 99, "tokens": [100, 200, 150], "weights": 1000}
    return helpers.made_up(runs, settings=settings, seeds=seeds, **texts)


def test_what_is_read_from_figures():
    one_shot, full = Arm(ONE_SHOT, MAIN), Arm(ADAPRUNE, MAIN)
    greedy = Arm(ONE_SHOT, MAIN, "greedy")
    cosines = {one_shot: [0.6, 0.5, 0.4], full: [0.9, 0.9, 0.9], greedy: [0.5, 0.4, 0.3]}
    found = made_up(cosines | {Arm(ABSORBED, MAIN): [0.5, 0.4, 0.31]})
    reader = Reader(found)
    shares = [1 - 0.1 / 0.4, 1 - 0.1 / 0.5, 1 - 0.1 / 0.6]
    recovered = reader.recovered(full)
    assert recovered.mean == pytest.approx(np.mean(shares))
    interval = stats.ttest_1samp(shares, 0).confidence_interval()
    assert recovered.mean + recovered.half == pytest.approx(interval.high)
    avoided = reader.avoided(one_shot, greedy, "cosine")
    assert avoided.mean == pytest.approx(np.mean([0.2, 0.1 / 0.6, 0.1 / 0.7]))
    assert reader.less(one_shot, greedy, "cosine").sure
    rows = {row[1]: row for row in masks(reader).rows}
    assert rows[ONE_SHOT][-2].startswith("**17.0 ± ")
    assert not rows[ADAPRUNE][-2].startswith("**")
    assert reader.layers(MAIN) == {n: pytest.approx([0.3, 0.2, 0.2]) for n in NAMES}
    said = [(word, "1", "30.00", "20.00", "20.00") for word in KINDS.values()]
    assert layers(reader).rows == said
    text = helpers.filled("adaprune", found).text()
    assert re.search(r"falls to 0\.500 ± 0\.248 one-shot; AdaPrune raises it to 0\.900", text)
    assert "lowers the cosine at transposable 4:8." in text
    assert "](pictures/adaprune-fidelity.png)" in text
