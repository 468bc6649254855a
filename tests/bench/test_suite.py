"""The suite from end to end, at its smallest, and its command line."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import masksolve as ms
from masksolve.bench import overhead
from masksolve.bench.results import load_results, save_results
from masksolve.bench.settings import SIZES
from masksolve.bench.suite import run
from masksolve.cli.main import main

from .synthetic import empty

SOLVERS = Path(__file__).with_name("solvers.py")
MINE = """\
import numpy as np
from masksolve.bench import contestant

@contestant(name="mine", reference="my paper")
def mine(scores, n):
    m = scores.shape[-1]
    mask = (np.arange(m)[:, None] + np.arange(m)) % m < n
    return np.broadcast_to(mask, scores.shape)
"""
TINY = replace(
    SIZES["smoke"],
    limit=2.0,
    patterns=("4:8",),
    sides=(8, 32),
    pattern_side=32,
    agreement_side=128,
    cases=("normal", "against greedy"),
    training_patience=0.0,
)


@pytest.fixture(scope="module")
def tiny():
    told = []
    names = ["greedy", "enumerate", "prints", "hangs", "dies", "raises", "keeps all", "absent"]
    results = run(TINY, [SOLVERS], names, lambda *what: told.append(what))
    return results, told


def of(records, name):
    return [record for record in records if record["contestant"] == name]


def test_everybody_is_named_and_the_exact_method_is_always_there(tiny):
    names = [c["contestant"] for c in tiny[0]["contestants"]]
    assert names[0] == "exact"
    assert set(names) > {"greedy", "hangs", "absent"}
    assert "two_approx" not in names


def test_times_are_taken_in_every_section(tiny):
    for name in ("exact", "greedy", "prints"):
        records = of(tiny[0]["timings"], name)
        assert {r["section"] for r in records} == {"size", "pattern", "cores"}
        for record in records:
            assert record["status"] == "ok"
            assert len(record["seconds"]) == TINY.rounds
            assert min(record["seconds"]) <= record["median"] <= max(record["seconds"])
            assert record["tiles"] == record["rows"] * record["columns"] // 64


def test_masks_are_judged_on_every_case(tiny):
    results = tiny[0]
    for case in results["cases"]:
        if case["status"] == "ok":
            (record,) = [r for r in of(results["quality"], "exact") if r["case"] == case["case"]]
            assert record["proven"]
            assert (record["loss_mean"], record["loss_worst"]) == (0, 0)


def test_the_exact_agree(tiny):
    found = {a["contestant"]: a for a in tiny[0]["agreement"]}
    assert set(found) == {"exact", "enumerate"}
    for record in found.values():
        assert record["agreeing"] == record["tiles"] == (TINY.agreement_side // 4) ** 2


def test_adversaries_bring_out_the_worst(tiny):
    records = {r["case"]: r for r in of(tiny[0]["quality"], "greedy")}
    assert 0.5 <= records["against greedy"]["kept_ratio_worst"] <= 0.51


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("hangs", "cut off", "no answer within 2 s"),
        ("dies", "failed", "its process died with exit code 3"),
        ("raises", "failed", "RuntimeError: no mask today"),
        ("absent", "missing", "needs no_such_module: not installed"),
        ("enumerate", "does not fit", "does not take 4:8"),
    ],
)
def test_who_has_no_time_has_a_reason(tiny, name, status, reason):
    (record,) = [r for r in of(tiny[0]["timings"], name) if r["section"] == "pattern"]
    assert (record["status"], record["reason"]) == (status, reason)
    assert record["median"] is None
    (player,) = of(tiny[0]["contestants"], name)
    assert (player["status"] == "missing") == (status == "missing")
    assert player["reason"] == (reason if status == "missing" else "")
    assert {r["status"] for r in of(tiny[0]["quality"], name)} <= {status, "cut off"}


def test_overheads_are_over_a_loop_that_never_renews(monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(overhead, "STEPS", 10)
    settings = replace(
        TINY, limit=60.0, cases=("normal",), sides=(8,), training_patience=9.0, training_every=(5,)
    )
    found = run(settings, only=["exact"])["training"]
    ran = {(r["contestant"], r["every"]) for r in found if r["status"] == "ok"}
    assert ran == {("dense", None), *(("exact", every) for every in (None, 5))}
    rest = next(r for r in found if (r["contestant"], r["every"]) == ("exact", None))
    for record in found:
        if record["every"] is not None:
            assert record["overhead"] == pytest.approx(record["median"] / rest["median"] - 1)


def test_invalid_masks_are_said_to_be(tiny):
    records = of(tiny[0]["quality"], "keeps all")
    assert {(r["status"], r["reason"]) for r in records} == {
        ("invalid", "a line of a tile keeps more than 4")
    }


def test_progress_is_told(tiny):
    sections = list(dict.fromkeys(section for section, _, _ in tiny[1]))
    assert sections[0] == "size, 4:8"
    assert sections[-1] == "agreement of the exact methods"
    assert all(0 <= share <= 1 for _, share, _ in tiny[1])


def test_the_machine_and_versions_are_recorded(tiny):
    results = tiny[0]
    assert results["machine"]["cores"] >= 1
    assert {"masksolve", "numpy", "numba", "pyperf"} <= set(results["versions"])
    assert "hostname" not in json.dumps(results)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Write a file with two solvers."""
    file = tmp_path_factory.mktemp("pair") / "my_solvers.py"
    parts = [MINE.replace('"mine"', f'"{name}"') for name in ("first", "second")]
    file.write_text("\n\n".join(parts))
    return file


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["greedy"], {"exact", "greedy", "first", "second"}),
        (["greedy", "first"], {"exact", "greedy", "first"}),
    ],
)
def test_who_brings_a_solver_has_it_run(pair, names, expected, monkeypatch):
    monkeypatch.setattr("masksolve.bench.suite.Contest", Stop)
    with pytest.raises(Stop) as stop:
        run(TINY, [pair], names)
    assert set(stop.value.args) == expected


class Stop(Exception):
    """In place of a contest, and with the names of those who would take part."""

    def __init__(self, contestants, *others):
        super().__init__(*(contestant.name for contestant in contestants))
        raise self


def test_what_cannot_be_written_to_is_told_before_anything_is_measured(capsys, monkeypatch):
    monkeypatch.setattr("masksolve.bench.suite.Contest", Stop)
    assert main(["bench", "--out", "/proc/self"]) == 2
    assert "cannot write to /proc/self" in capsys.readouterr().err


def test_files_of_nothing_are_reported_and_compared(tmp_path, capsys):
    """The folder may be named before the part."""
    file, out = tmp_path / "results.json", tmp_path / "out"
    save_results(empty(), file)
    assert main(["bench", "--out", str(out), "report", str(file)]) == 0
    assert (out / "index.md").exists()
    capsys.readouterr()
    assert main(["bench", "compare", str(file), str(file)]) == 0
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "the two files have no figure in common\n")


def test_a_solver_of_ten_lines_appears_in_the_report(tmp_path, capsys, monkeypatch):
    """Of training another test sees to."""
    monkeypatch.setitem(SIZES, "smoke", replace(SIZES["smoke"], training_patience=0.0))
    assert len(MINE.splitlines()) < 10
    file = tmp_path / "my_solver.py"
    file.write_text(MINE)
    out = tmp_path / "out"
    arguments = ["bench", "--size", "smoke", "--only", "mine", "--solver", str(file)]
    assert main([*arguments, "--out", str(out)]) == 0
    results = load_results(out / "results.json")
    assert [r["status"] for r in of(results["timings"], "mine")]
    page = (out / "index.md").read_text()
    assert page.count("mine") > 5
    assert sum(path.suffix == ".png" for path in out.iterdir()) >= 3

    again = tmp_path / "again"
    assert main(["bench", "report", str(out / "results.json"), "--out", str(again)]) == 0
    assert (again / "index.md").read_text() == page
    capsys.readouterr()

    pair = [str(out / "results.json"), str(again / "results.json")]
    assert main(["bench", "compare", *pair]) == 0
    assert "0 of" in capsys.readouterr().out
    assert main(["bench", "compare", *pair, "--all", "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)
    assert any("mine" in change["what"] for change in changes)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "nobody"], "no contestant 'nobody'; there are: exact; "),
        (["--solver", "none.py"], "none.py is no Python file: expected one with a @contestant"),
        (["report", "none.json"], "cannot read none.json: No such file or directory"),
        (["compare", "none.json", "none.json"], "cannot read none.json"),
        (["--size", "huge"], "invalid choice: 'huge'"),
        (["--out", "/dev/null/x"], "cannot write to /dev/null/x"),
    ],
)
def test_bad_input_gets_one_sentence(arguments, complaint, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["bench", *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1


def test_what_is_not_installed_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyperf", None)
    for name in ("suite", "machine"):
        monkeypatch.delitem(sys.modules, f"masksolve.bench.{name}", raising=False)
    assert main(["bench"]) == 2
    assert "needs pyperf: pip install 'masksolve[bench]'" in capsys.readouterr().err


def test_settings_scale():
    smoke, quick, full = (SIZES[name] for name in ("smoke", "quick", "full"))
    assert smoke.rounds <= quick.rounds <= full.rounds
    assert max(full.sides) == 16384
    assert set(full.patterns) == {"1:4", "2:4", "2:8", "4:8", "8:16", "16:32", "32:64"}
    assert all(ms.Pattern.parse(p) for p in full.patterns)
