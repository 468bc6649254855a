import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import masksolve as ms

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from masksolve.bench.experiments.training import run as runs  # noqa: E402
from masksolve.bench.experiments.training.arms import (  # noqa: E402
    ARMS,
    DENSE,
    GRID,
    PATTERNS,
    PLAIN,
    WINDOW,
    Arm,
)
from masksolve.bench.experiments.training.data import MovedDigits  # noqa: E402
from masksolve.bench.experiments.training.findings import Reader  # noqa: E402
from masksolve.bench.experiments.training.questions import QUESTIONS  # noqa: E402
from masksolve.bench.experiments.training.reading import in_short, tally, verdict  # noqa: E402
from masksolve.bench.experiments.training.run import train  # noqa: E402
from masksolve.bench.experiments.training.sizes import SIZES, Size  # noqa: E402
from masksolve.bench.experiments.training.tables import every_arm, headlines, question  # noqa: E402
from masksolve.bench.experiments.training.tasks import TASKS  # noqa: E402
from masksolve.bench.learning.text import Characters  # noqa: E402
from masksolve.bench.learning.transformer import in_body  # noqa: E402
from masksolve.torch import History, LayerRecord, Record  # noqa: E402

from . import helpers  # noqa: E402

MLP = replace(TASKS[0], seeds=2, steps=2 * WINDOW, check=WINDOW)
TINY = Size("tiny", (MLP,), (DENSE, Arm("4:8"), Arm("4:8", every=WINDOW)))
ODD, EVEN = "4:8 exact ste 1", "4:8 greedy ste 1"


def run_of(task, arm, seed, loss, accuracy=0.5):
    """Make up a run that ends at a loss."""
    run = {"task": task, "arm": arm, "seed": seed, "seconds": 36.0}
    run |= {"loss": [2 * loss, loss], "accuracy": [accuracy / 2, accuracy]}
    if arm == "dense":
        return run | {"flips": [], "moved": [], "kept": [], "density": 1.0}
    return run | {"flips": [0.02, 0.01], "moved": [0.2, 0.1], "kept": [0.7, 0.75], "density": 0.5}


def findings(losses, tasks=("mlp", "cnn", "transformer")):
    """Make up findings from losses by arm, a list of seeds each."""
    seeds = max(len(values) for values in losses.values())
    settings = {task.name: {**task.to_dict(), "seeds": seeds} for task in TASKS}
    runs = [
        run_of(task, arm, seed, loss)
        for task in tasks
        for arm, values in losses.items()
        for seed, loss in enumerate(values)
        if loss is not None
    ]
    return helpers.made_up(runs, size="full", tasks=[settings[task] for task in tasks])


def everywhere(loss, **other):
    """Give every arm the same losses, but for those with a rule of their own."""
    rng = np.random.default_rng(0)
    return {
        arm.label: [
            loss + 1e-3 * rng.standard_normal() + other.get(arm.method, 0) for _ in range(5)
        ]
        for arm in ARMS
    }


# Statistics.


def test_differences_are_paired_by_seed():
    reader = Reader(findings({ODD: [1.0, 2.0, 4.0], EVEN: [0.5, 1.0, 2.5]}))
    found = reader.difference("mlp", [(ODD, EVEN)], "loss")
    assert found.mean == pytest.approx(1.0)
    assert found.half == pytest.approx(4.3027 * 0.5 / 3**0.5, rel=1e-4)  # of 0.5, 1, 1.5
    assert reader.mean("mlp", ODD, "loss").mean == pytest.approx(7 / 3)


def test_pairs_are_averaged_within_a_seed_and_seeds_that_lack_an_arm_left_out():
    losses = {"a": [1.0, 2.0, None], "b": [0.0, 0.0, 0.0], "c": [3.0, 2.0, 9.0]}
    reader = Reader(findings(losses))
    found = reader.difference("cnn", [("a", "b"), ("c", "b")], "loss")
    assert (found.mean, found.half, found.seeds) == (2.0, 0.0, 2)
    assert reader.difference("cnn", [("a", "nothing")], "loss").seeds == 0


# Arms, data, networks.


def test_the_grid_has_all_arms_once():
    assert len(GRID) == 41
    assert len({arm.label for arm in ARMS}) == len(ARMS)
    assert {arm.pattern for arm in GRID} == {None, PLAIN, *PATTERNS}
    assert Arm("4:8", decay=2e-2).label == "4:8 exact ste 1 (decay 0.02)"
    assert Arm(None, rate=0.5).label == "dense (rate x 0.5)"


def test_every_question_is_about_arms_that_are_run():
    labels = {arm.label for arm in ARMS}
    asked = [row.pairs for one in QUESTIONS.values() for row in one.rows]
    assert {label for pairs in asked for pair in pairs for label in pair} <= labels
    assert all(one != other for pairs in asked for one, other in pairs)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_body_fits_every_pattern(task):
    network = task.make_network(0)
    body = [m.weight for name, m in network.named_modules() if in_body(name, m)]
    assert body
    assert all(side % 16 == 0 for weight in body for side in weight.shape[:2])
    masked, all_ = sum(w.numel() for w in body), sum(p.numel() for p in network.parameters())
    assert masked > all_ / 2
    assert task.check % WINDOW == task.steps % task.check == 0


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_seed_settles_weights_and_batches(task):
    def drawn(seed):
        data = task.make_data(seed)
        data.next()
        torch.rand(1)  # nobody else's random numbers matter
        return [*task.make_network(seed).parameters(), *data.next(), *data.held_out()[0]]

    one, again, other = drawn(0), drawn(0), drawn(1)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[-4], other[-4])


def test_digits_move_by_up_to_a_pixel_and_none_is_held_out():
    data = MovedDigits(3, learned=8, batch=512)
    images, classes = data.next()
    assert images.shape == (512, 1, 8, 8)
    known = torch.nn.functional.pad(data._dealt.images, (1, 1, 1, 1))
    moved = torch.stack(
        [known[:, :, j : j + 8, k : k + 8] for j in range(3) for k in range(3)], dim=1
    )
    same = (images[:, None, None] == moved[None]).flatten(3).all(dim=3)
    assert same.any(dim=2).any(dim=1).all()
    assert same.any(dim=0).all()  # every digit, everywhere
    assert len(classes) == 512
    ((held, _),) = data.held_out()
    assert len(held) == 1797 - 8
    assert not (held[:, None] == data._dealt.images[None]).flatten(2).all(dim=2).any()


def test_text_is_followed_by_its_next_character():
    data = Characters(0, length=16, batch=4, held=8)
    inputs, targets = data.next()
    assert inputs.shape == targets.shape == (4, 16)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    batches = data.held_out()
    assert [len(x) for x, _ in batches] == [4, 4]
    assert inputs.max() < 96


# A run.


def test_masks_are_of_the_pattern_and_curves_have_a_value_a_look():
    found = train(MLP, Arm("4:8"), 0)
    assert {len(found[key]) for key in ("loss", "accuracy", "flips", "moved", "kept")} == {2}
    assert found["density"] == 0.5
    assert 0.5 < found["kept"][-1] < 1
    assert 0 < found["flips"][-1] < found["moved"][-1] < 1
    assert found["loss"][-1] < np.log(10)


def test_the_convolutions_masks_hold_along_both_directions():
    cnn = replace(TASKS[1], steps=WINDOW, check=WINDOW)
    network = cnn.make_network(0)
    handle = runs._sparsified(network, Arm("8:16"))
    for mask in handle.masks.values():
        ms.check_mask(mask.numpy(), "8:16", axes=(0, 1))


def test_an_arm_without_its_masks_is_the_dense_one(monkeypatch):
    dense = train(MLP, DENSE, 1)
    monkeypatch.setattr(runs, "_sparsified", lambda network, arm: None)
    same = train(MLP, Arm("2:4"), 1)
    assert same["loss"] == dense["loss"]
    assert same["accuracy"] == dense["accuracy"]


def test_seldom_renewals_flip_what_they_move():
    found = train(MLP, Arm("4:8", every=WINDOW), 0)
    assert found["flips"] == found["moved"]


def test_looks_tell_of_the_masks_between_them():
    history = History()
    for step, flipped in enumerate([[], [0], [1], [0, 1], [2, 3]]):
        layer = LayerRecord(10, len(flipped), 5.0 + step, 10.0, None, 0.0)
        step *= WINDOW // 2
        history.add(Record(step, {"w": layer}), {"w": np.array(flipped, dtype=np.uint32)})
    log = runs._Log(SimpleNamespace(history=history))
    log.masks(0, WINDOW)
    log.masks(WINDOW, 2 * WINDOW)
    log.masks(0, 2 * WINDOW)
    assert log.flips == pytest.approx([0.1, 0.2, 0.15])
    assert log.moved == pytest.approx([0.2, 0.4, 0.4])
    assert log.kept == pytest.approx([0.7, 0.9, 0.9])


# The whole.


@pytest.fixture
def trained(monkeypatch):
    """Make a tiny size of the smoke test, in which nothing is trained; lists what would be."""
    jobs = []

    def spy(task, arm, seed):
        jobs.append((arm.label, seed))
        return run_of(task.name, arm.label, seed, 1.0)

    monkeypatch.setattr(helpers.module("training"), "train", spy)
    monkeypatch.setitem(SIZES, "smoke", replace(TINY, name="smoke"))
    return jobs


def test_more_seeds_go_on_from_fewer(trained, tmp_path):
    path, labels = tmp_path / "training.json", [arm.label for arm in TINY.arms]
    for seeds, asked in (([0], ["--seeds", "1"]), ([], ["--seeds", "1"]), ([1], [])):
        trained.clear()
        helpers.smoke("training", path, *asked)
        assert trained == [(label, seed) for seed in seeds for label in labels]
    found = helpers.load("training", path)
    assert [(run["arm"], run["seed"]) for run in found["runs"]] == [
        (label, seed) for seed in range(2) for label in labels
    ]
    helpers.check_other_settings_are_refused("training", path)


def test_sizes_have_looks_that_fit_and_dense_networks():
    for size in SIZES.values():
        assert all(task.steps % task.check == 0 for task in size.tasks)
        assert DENSE in size.arms


def test_the_whole_experiment_in_small(tmp_path, monkeypatch, capsys):
    path = helpers.smoke("training", tmp_path / "training.json")
    assert "| 4:8     | greedy | ste       | 1     |" in capsys.readouterr().out
    pictures = ("curves", "flips", "differences")
    page = helpers.check_the_whole("training", path, pictures, ["train"], monkeypatch)
    found = helpers.load("training", path)
    assert len(found["runs"]) == 3 * 4 * 2
    assert all(np.isfinite(run["loss"]).all() for run in found["runs"])
    again = tmp_path / "elsewhere" / "page.md"
    options = ["--read", str(path), "--page", str(again), "--pictures", str(tmp_path)]
    assert helpers.main(["training", *options]) == 0
    assert again.read_text() == page.replace("](training-", "](../training-")
    with pytest.raises(SystemExit, match=r"^error: cannot read none\.json"):
        helpers.main(["training", "--step", "none.json", "--read", str(path)])


# Words.


def said(reader, start):
    """Return the one sentence of those in short that starts so."""
    (found,) = (sentence for sentence in in_short(reader) if sentence.startswith(start))
    return found


@pytest.mark.parametrize(
    ("greedy", "says"),
    [(0.1, "better in every"), (-0.1, "worse in every"), (0.0, "not to be told apart in any")],
)
def test_verdicts_follow_from_the_figures(greedy, says):
    reader = Reader(findings(everywhere(1.0, greedy=greedy)))
    (row,) = (
        row
        for row in headlines(reader).rows
        if row[1].startswith("exact masks rather than greedy, renewed at every step")
    )
    pairs = [(f"{p} exact {e} 1", f"{p} greedy {e} 1") for p in PATTERNS for e in ("ste", "sr_ste")]
    figure = reader.difference("cnn", pairs, "loss").write(places=3, sign=True)
    assert row[3].replace("**", "") == f"{figure} (+0.00 ± 0.00)"
    assert row[3].startswith("**") == (not says.startswith("not"))
    assert verdict(reader, pairs) == f"{says} task"


def test_exactness_is_praised_only_if_it_helps():
    better, same, worse = (
        said(Reader(findings(everywhere(1.0, greedy=greedy))), "**Exactness")
        for greedy in (0.1, 0, -0.1)
    )
    assert better.startswith(
        "**Exactness.** Exact masks rather than greedy, renewed at every step: better in every "
        "task; exact masks rather than greedy, renewed every 40 steps: better in every task. "
        "Exact masks rather than 2-approximate, renewed at every step: not to be told apart"
    )
    assert same.startswith(
        "**Exactness buys no accuracy over greedy masks.** Exact masks do better than greedy "
        "ones, renewed as often, in no task. Exact masks rather than 2-approximate, renewed"
    )
    assert (
        "in no task; renewed at every step they do worse in every task and renewed every 40 "
        "steps they do worse in every task. Exact"
    ) in worse


def test_frequency_is_praised_only_if_it_helps():
    losses = everywhere(1.0)
    assert said(Reader(findings(losses)), "**Frequency").startswith(
        "**Frequency.** Exact masks at every step rather than every 40 steps: not to be told"
    )
    often = {a: [v - 0.1 * (" 1" in a) for v in values] for a, values in losses.items()}
    reader = Reader(findings(often))
    assert said(reader, "**Frequency").endswith(
        "do better in every task, exact, greedy and 2-approximate ones alike. Exact 4:8 by "
        "STE: better in every task at half the rate of learning; better in every task at twice "
        "the rate of learning."
    )
    assert said(reader, "**If only one").startswith("**If only one can be had, take frequency.")
    assert said(Reader(findings(losses)), "**If only one").startswith(
        "**If only one can be had.** Greedy masks at every step rather than exact ones every "
        "40 steps: not to be told apart in any task; 2-approximate masks"
    )
    assert said(reader, "**SR-STE.**").endswith(
        "By decay, exact 4:8 at every step: 0.0002 not to be told apart in any task; 0.002 not "
        "to be told apart in any task; 0.02 not to be told apart in any task."
    )


def test_a_verdict_that_differs_from_task_to_task_names_them():
    found = findings({ODD: [1.0, 1.1, 1.2], EVEN: [1.5, 1.6, 1.7]})
    for run in found["runs"]:
        if run["task"] == "cnn" and run["arm"] == ODD:
            run["loss"][-1] += 1
        if run["task"] == "mlp" and run["arm"] == ODD:
            run["loss"][-1] += run["seed"]
    assert verdict(Reader(found), [(ODD, EVEN)]) == (
        "better with the transformer, worse with the cnn and not to be told apart with the mlp"
    )
    assert verdict(Reader(found), [(ODD, "nothing")]) == ""


def test_what_was_not_run_is_not_spoken_of():
    assert list(in_short(Reader(findings({"dense": [1.0, 2.0]})))) == []


def test_flips_are_set_against_where_they_lead():
    losses = {ODD: [1.0, 2.0], "4:8 exact ste 40": [1.0, 2.0]}
    *_, kept, flips = in_short(Reader(findings(losses, tasks=("mlp",))))
    assert kept.endswith("arms: exact 50.0 % with 75.0 % of the sum of |w|.")
    assert "mlp 60 flips per 100 entries lead to masks that differ in 15.0 (renewed" in flips
    assert flips.endswith("once instead: 15.0). Most flips are taken back.")
    found = findings(losses, tasks=("mlp",))
    for run in found["runs"]:
        run["flips"] = [0.005, 0.005]
    *_, flips = in_short(Reader(found))
    assert flips.endswith("once instead: 15.0).")


def test_a_tally_counts_both_sides():
    better = Reader(findings(everywhere(1.0, greedy=0.1, two_approx=-0.1)))
    assert tally(better, "exactness").startswith(
        "Of 36 differences in loss, single patterns only, 18 are below 0 beyond their interval "
        "and 18 above; were there none at all, about 2 "
    )
    assert tally(Reader(findings({"dense": [1.0, 2.0]})), "exactness") == ""


def test_tables_hold_the_figures():
    reader = Reader(findings({"dense": [1.0, 2.0], ODD: [1.5, 2.5], EVEN: [1.25, 2.5]}))
    rows = {row[:4]: row[4:] for row in every_arm(reader, "mlp").rows}
    assert rows["dense", "", "", ""][:2] == ("1.500 ± 6.353", "")
    loss, accuracy = ("2.000 ± 6.353", "+0.500 ± 0.000"), ("50.00 ± 0.00", "+0.00 ± 0.00")
    masks = ("75.0", "50.0", "1.50", "15.0")
    assert rows["4:8", "exact", "ste", "1"] == (*loss, *accuracy, *masks)
    table = question(reader, QUESTIONS["masks"])
    assert table.rows == [("4:8", "ste", "1", *3 * ("**+0.500 ± 0.000**", "+0.00 ± 0.00"))]
    assert table.markdown().splitlines()[:2] == [
        "| pattern | estimator | every | mlp, loss | mlp, accuracy | cnn, loss | cnn, accuracy "
        "| transformer, loss | transformer, accuracy |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]


def test_the_page_says_where_it_ran_and_holds_every_table(tmp_path):
    found = findings(everywhere(1.0))
    filled = helpers.filled("training", found, tmp_path / "page.md")
    page = filled.text()
    assert r"On a \*CPU\*, Python 3.11.0, torch 2.0." in page
    assert f"{len(found['runs'])} runs of {len(ARMS)} arms." in page
    assert page.count("; 5 seeds.") == 3
    for one in QUESTIONS.values():
        assert f"### {one.title}" in page
    assert len(re.findall(r"^\| 8:16 \|", page, flags=re.MULTILINE)) > 3 * 12
    assert "## What renewing costs" not in page
    assert all(path.stat().st_size > 10_000 for path in filled.write())


def test_the_figures_in_the_docs_are_whole():
    found = helpers.load("training", helpers.RESULTS / "training.json")
    assert [task["name"] for task in found["tasks"]] == [task.name for task in TASKS]
    for task in found["tasks"]:
        assert task == next(one for one in TASKS if one.name == task["name"]).to_dict()
        assert task["seeds"] >= 5
    assert {(run["task"], run["arm"], run["seed"]) for run in found["runs"]} == {
        (task.name, arm.label, seed) for task in TASKS for arm in ARMS for seed in range(task.seeds)
    }
