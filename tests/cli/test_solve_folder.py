"""``masksolve solve`` on folders of shards: files, figures, and one line for what is wrong."""

import re
import subprocess

import pytest

import masksolve as ms
from masksolve.checkpoints import run as library
from masksolve.cli.main import main
from tests.checkpoints import models
from tests.checkpoints.models import assert_applied, assert_masks
from tests.cli.commands import MATRICES, shown_on_a_terminal
from tests.storage.files import unchanged


@pytest.fixture
def shards():
    return models.make_shards()


@pytest.fixture
def folder(tmp_path, shards):
    return models.write_checkpoint(tmp_path / "folder", shards)


def test_masks(run, folder, out, shards):
    report = run("solve", folder, out, "--pattern=2:4", *MATRICES, "--memory=1.5GB", "--json").json
    assert_masks(out, shards)
    records = ms.load_masks(out)
    assert [row["name"] for row in report["tensors"]] == list(records)
    for row in report["tensors"]:
        mask = records[row["name"]]
        assert (row["objective"], row["upper_bound"]) == (mask.objective, mask.upper_bound)
        assert row["gap"] == mask.upper_bound - mask.objective
    objective = sum(row["objective"] for row in report["tensors"])
    assert report["total"]["objective"] == pytest.approx(objective)
    assert (report["total"]["status"], report["output"]) == ("optimal", str(out))
    ms.verify_checkpoint(out)


def test_masked_weights_and_the_table(run, folder, out, shards):
    text = run("solve", folder, out, "--pattern=2:4", *MATRICES, "--apply", "--threads=1").out
    assert_applied(out, shards)
    assert text.startswith(f"2:4 by exact: {out}\n")
    assert "96x64" in text
    assert "all 4" in text
    assert re.search(r"^0\.000 GB in .* MB/s$", text, flags=re.M)
    assert "model of type 'small', which is not known: names and shapes alone tell" in text
    assert text.endswith("masks are not for them: pytorch_model.bin\n")
    again = run("solve", folder, out, "--pattern=2:4", *MATRICES, "--apply").out
    assert re.search(r"^0\.000 GB in [^/]*$", again, flags=re.M)


def test_a_heuristic_has_no_bound(run, folder, out):
    command = ("solve", folder, out, "--pattern=2:4", "--method=greedy", "--tensors=a.weight")
    assert "unknown" in run(*command).out
    total = run(*command, "--json").json["total"]
    assert (total["upper_bound"], total["gap"], total["status"]) == (None, None, "underfilled")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("folder out --memory=some", "memory 'some'"),
        ("folder out --memory=9MB", "memory 9MB too little"),
        ("folder folder", "folder is the input"),
        ("folder other", "other holds other files"),
        ("folder model", "model is a file"),
        ("folder nowhere/out", "nowhere/out folder does not exist"),
        ("folder out --tensors experts --pattern=2:4,plain", "'experts' axes inputs --axes"),
        ("model out --memory=some", "memory 'some'"),
        ("other out", "other holds no safetensors file"),
    ],
)
def test_one_line_and_nothing_written(refused, folder, model, monkeypatch, command, words):
    monkeypatch.chdir(folder.parent)
    other = folder.with_name("other")
    other.mkdir()
    (other / "notes.txt").write_text("keep me")
    with unchanged(folder.parent, models.files_of):
        refused("solve", "--pattern=2:4", *command.split(), words=words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("truncate -s -1 folder/model-2.safetensors", "model-2.safetensors not a whole"),
        ("rm folder/model-2.safetensors", "model-2.safetensors is missing"),
        (f"sed -i s/b.weight/c.weight/ folder/{models.INDEX}", "model-2.safetensors 'c.weight'"),
    ],
)
def test_a_damaged_checkpoint(refused, folder, out, monkeypatch, damage, words):
    monkeypatch.chdir(folder.parent)
    subprocess.run(damage.split(), check=True)
    refused("solve", folder, out, "--pattern=2:4", words=words)
    assert not out.exists()


def test_interrupted_it_says_how_to_go_on(folder, out, monkeypatch, capsys, shards):
    def stop(*arguments):
        raise KeyboardInterrupt

    command = ["solve", str(folder), str(out), "--pattern=2:4", *MATRICES]
    with monkeypatch.context() as patch:
        patch.setattr(library, "_work", stop)
        assert main(command) == 130
    said = f"masksolve: interrupted, the same command goes on with {out}\n"
    assert capsys.readouterr().err == said
    assert main(command) == 0
    assert_masks(out, shards)


def test_on_a_terminal_there_are_a_rate_and_the_time_left(folder, out, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    shown = shown_on_a_terminal("solve", folder, out, "--pattern", "2:4", "--json")
    assert b"kB" in shown
    assert b"-:--:--" in shown or b"0:00:0" in shown


def test_checksums_are_checked_if_asked_for(run, refused, folder, out):
    run("solve", folder, out, "--pattern=2:4", "--apply")
    assert "valid" in run("check", out, "--checksums").out
    (out / "config.json").write_text("{}")
    run("check", out)
    refused("check", out, "--checksums", words="config.json bytes manifest")
    refused("check", folder, "--checksums", "--pattern=2:4", words="masksolve.json")
