"""``masksolve plan``: the library's plan of a file, as tables, JSON and a picture."""

import json
import subprocess

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.encoder import encoder_file
from tests.cli.commands import MATRICES, MODULE
from tests.storage.files import contents, unchanged, write_file

PATTERNS = ("--patterns", "2:4", "4:8,plain")


def as_json(plan):
    found = json.loads(json.dumps(plan.to_dict()))
    return found | {"skipped": None}


def printed(found):
    """Take away what is told of the file."""
    for key in ("file", "masked_share", "model_type", "model_known"):
        del found[key]
    return found | {"skipped": None}


def test_json_is_the_librarys_plan(run, model, matrices):
    found = run("plan", model, *PATTERNS, *MATRICES, "--json").json
    assert found["file"] == str(model)
    assert printed(found) == as_json(ms.plan(matrices, ["2:4", "4:8,plain"]))


def test_tensors_axes_and_samples_are_chosen(run, model, tensors):
    asked = "--patterns 2:4 --tensors conv* --axes 0,1 --sample 5 --seed 3 --json"
    found = run("plan", model, *asked.split()).json
    chosen = {"conv.weight": tensors["conv.weight"]}
    assert printed(found) == as_json(ms.plan(chosen, ["2:4"], axes=(0, 1), sample=5, seed=3))


def test_tables(run, model):
    out = run("plan", model, *PATTERNS).out
    plan = ms.plan(model, ["2:4", "4:8,plain"])
    assert "4 tensors, 576 weights" in out
    assert "1: its matrix is 12 x 10, no multiple of 4" in out
    for row in plan.rows:
        assert f"{100 * row.kept_share:.2f} %" in out
    assert "NVIDIA, AMD, Huawei" in out
    assert "none found" in out
    assert "weight gradient stays dense" in out
    assert "Partial tiles" in out
    assert "Partial tiles" in run("plan", model, *PATTERNS, *MATRICES).out
    assert "encoder.0.weight" not in out


def test_layers(run, model, matrices):
    out = run("plan", model, "--patterns", "2:4", *MATRICES, "--layers").out
    lines = [line for line in out.splitlines() if any(name in line for name in matrices)]
    for line, (name, array) in zip(lines, matrices.items(), strict=True):
        row = ms.plan(array, ["2:4"]).rows[0]
        assert name in line
        assert f"{100 * row.kept_share:.2f} %" in line


def test_a_picture_and_nothing_else(run, model, tmp_path):
    before = contents(tmp_path)
    run("plan", model, *PATTERNS, "--plot", tmp_path / "plan.svg")
    after = contents(tmp_path)
    assert after.pop("plan.svg").startswith(b"<?xml")
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--patterns 5:4", "n must be at most m"),
        ("--patterns 2-4", "'2-4' is not of the form"),
        ("--patterns", "--patterns"),
        ("--sample -1", "sample must be an integer of at least 2 or None, got -1"),
        ("--sample some", "--sample"),
        ("--seed -1", "seed must be an integer of 0 or more, got -1"),
        ("--tensors zzz", "holds no tensor 'zzz'"),
        ("--tensors steps*", "holds no float tensor"),
        ("--tensors cube", "--axes 'cube=0,1'"),
        ("--tensors scale", "tensor 'scale': weights must have at least 2 dimensions"),
        ("--exclude *", "holds no float tensor"),
        ("--threads 0", "'0' is not a positive integer"),
        ("--plot plan.gif", "must end in .png, .svg or .pdf"),
        ("--plot nowhere/plan.png", "folder that does not exist"),
    ],
)
def test_bad_input(refused, model, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with unchanged(tmp_path):
        assert words in refused("plan", model, *arguments.split())


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a": np.ones((4, 4)), "b": np.full((4, 4), np.nan)}, "tensor 'b': weights[0, 0] is nan"),
        ({"bias": np.ones(4)}, "holds no float tensor"),
        ({"none": np.ones((0, 4))}, "it holds none; none: its matrix is 0 x 4"),
    ],
)
def test_bad_files(refused, tmp_path, tensors, words):
    file = write_file(tmp_path / "file", tensors)
    assert words in refused("plan", file, "--plot", tmp_path / "plan.png", words=str(file))
    assert contents(tmp_path).keys() == {"file"}


def test_a_file_that_is_none(refused, tmp_path):
    assert "missing: No such file" in refused("plan", tmp_path / "missing")


def test_the_encoder(tmp_path):
    """Every linear layer, every default pattern, solved in full, in a process of its own."""
    command = [*MODULE, "plan", encoder_file(), "--tensors", "encoder.layer.*", "--json"]
    command += ["--plot", tmp_path / "plan.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {row["pattern"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["1:4", "2:4", "2:8", "4:8", "8:16", "16:32"]
    assert all(row["proven"] and row["interval"] is None for row in rows.values())
    half = [rows[name] for name in ("2:4", "4:8", "8:16", "16:32")]
    assert [row["kept_share"] for row in half] == sorted(row["kept_share"] for row in half)
    for row in rows.values():
        assert row["kept"] < row["plain"] < row["unstructured"]
    # Of plain 2:4 and transposable 4:8 the one with more masks, by the exact count, keeps more.
    assert rows["2:4"]["log10_plain"] > rows["4:8"]["log10_masks"]
    assert rows["2:4"]["plain"] > rows["4:8"]["kept"]
    assert (tmp_path / "plan.png").stat().st_size > 10_000
