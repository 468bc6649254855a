"""``masksolve solve`` on folders of shards: files, figures, and one line for what is wrong."""

import os
import subprocess

import pytest

import masksolve as ms
from masksolve.checkpoints import run as library
from tests.checkpoints.models import (
    INDEX,
    assert_applied,
    assert_masks,
    files_of,
    make_shards,
    write_checkpoint,
)
from tests.cli.test_bad_input import assert_one_line
from tests.cli.test_solve import MODULE


@pytest.fixture
def shards():
    return make_shards()


@pytest.fixture
def folder(tmp_path, shards):
    return write_checkpoint(tmp_path / "folder", shards)


def test_masks(run, folder, out, shards):
    report = run("solve", folder, out, "--pattern=2:4", "--memory=1.5GB", "--json").json
    assert_masks(out, shards)
    records = {
        n: m
        for name in shards
        if (out / name).exists()
        for n, m in ms.load_masks(out / name).items()
    }
    assert [row["name"] for row in report["tensors"]] == list(records)
    for row in report["tensors"]:
        mask = records[row["name"]]
        assert (row["objective"], row["upper_bound"]) == (mask.objective, mask.upper_bound)
        assert row["gap"] == mask.upper_bound - mask.objective
    assert report["total"]["objective"] == pytest.approx(
        sum(row["objective"] for row in report["tensors"])
    )
    assert (report["total"]["status"], report["output"]) == ("optimal", str(out))
    ms.verify_checkpoint(out)


def test_masked_weights_and_the_table(run, folder, out, shards):
    text = run("solve", folder, out, "--pattern=2:4", "--apply", "--threads=1").out
    assert_applied(out, shards)
    assert text.startswith(f"2:4 by exact: {out}\n")
    assert "96x64" in text
    assert "all 4" in text
    assert "MB/s" in text.splitlines()[-1]
    again = run("solve", folder, out, "--pattern=2:4", "--apply").out
    assert again.splitlines()[-1].startswith("0.000 GB in ")


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
        ("folder out --compare greedy", "--compare folder"),
        ("folder folder", "folder is the input"),
        ("folder other", "other holds other files"),
        ("folder model", "model is a file"),
        ("folder nowhere/out", "nowhere/out folder does not exist"),
        ("folder out --tensors experts", "'experts' 3 dimensions"),
        ("model out --memory=1GB", "--memory model"),
        ("other out", "other holds no safetensors file"),
    ],
)
def test_one_line_and_nothing_written(run, folder, model, monkeypatch, command, words):
    monkeypatch.chdir(folder.parent)
    os.mkdir("other")
    with open("other/notes.txt", "w") as file:
        file.write("keep me")
    before = files_of(folder.parent)
    ran = run("solve", *command.split(), "--pattern=2:4", code=2)
    assert_one_line(ran.err, words)
    assert (ran.out, files_of(folder.parent)) == ("", before)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("truncate -s -1 folder/model-2.safetensors", "model-2.safetensors not a whole"),
        ("rm folder/model-2.safetensors", "model-2.safetensors is missing"),
        (f"sed -i s/b.weight/c.weight/ folder/{INDEX}", "model-2.safetensors 'c.weight'"),
    ],
)
def test_a_damaged_checkpoint(run, folder, out, monkeypatch, damage, words):
    monkeypatch.chdir(folder.parent)
    subprocess.run(damage.split(), check=True)
    assert_one_line(run("solve", folder, out, "--pattern=2:4", code=2).err, words)
    assert not out.exists()


def test_interrupted_it_says_how_to_go_on(folder, out, monkeypatch, capsys, shards):
    from masksolve.cli.main import main

    def stop(*arguments):
        raise KeyboardInterrupt

    command = ["solve", str(folder), str(out), "--pattern=2:4"]
    with monkeypatch.context() as patch:
        patch.setattr(library, "_work", stop)
        assert main(command) == 130
    assert capsys.readouterr().err == (
        f"masksolve: interrupted, the same command goes on with {out}\n"
    )
    assert main(command) == 0
    assert_masks(out, shards)


def test_on_a_terminal_there_are_a_rate_and_the_time_left(folder, out, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    ours, theirs = os.openpty()
    command = [*MODULE, "solve", folder, out, "--pattern", "2:4", "--json"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert b"kB" in shown
    assert b"-:--:--" in shown or b"0:00:0" in shown


def test_checksums_are_checked_if_asked_for(run, folder, out):
    run("solve", folder, out, "--pattern=2:4", "--apply")
    assert "valid" in run("check", out, "--checksums").out
    (out / "config.json").write_text("{}")
    run("check", out)
    words = "config.json bytes manifest"
    assert_one_line(run("check", out, "--checksums", code=2).err, words)
    assert_one_line(
        run("check", folder, "--checksums", "--pattern=2:4", code=2).err, "masksolve.json"
    )
