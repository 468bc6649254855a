"""Bad input: one sentence with the file and the tensor, and nothing written over."""

import json
import re
import resource
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints import target as places
from masksolve.checkpoints.source import WORK
from tests.checkpoints.models import INDEX, assert_masks, files_of, solve_all, write_checkpoint
from tests.storage.files import unchanged, write_file

SMALL = 1000


def refused(error, words, source, target, pattern="2:4", **options):
    """Raises `error` in one line; the source is as it was, and so is the target."""
    same = unchanged(source, files_of), unchanged(target, files_of)
    with same[0], same[1], pytest.raises(error, match=words) as caught:
        solve_all(source, target, pattern, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("exists", [False, True])
def test_weights_that_are_not_finite(source, target, shards, value, exists):
    """Named by their place in the whole tensor; the tensors before them are given up."""
    shards["model-2.safetensors"]["b.weight"][51, 7] = value
    source = write_checkpoint(source.with_name("bad"), shards)
    if exists:
        target.mkdir()
    for largest in (SMALL, None):
        words = rf"model-2\.safetensors: tensor 'b\.weight': weights\[51, 7\] is {value}"
        refused(ms.InvalidInput, words, source, target, largest=largest)
    solve_all(source, target, "2:4", exclude=["b.*"])


def test_what_cannot_be_solved(tmp_path, target):
    tensors = {
        "phases": np.zeros((4, 4), np.complex64),
        "flags": np.ones((4, 4), np.uint8).view(np.bool_),
        "line": np.ones(4, np.float32),
        "tiny": np.ones((8, 8), ml_dtypes.float8_e4m3fn),
        "long": np.full((4, 4), 2**53 + 1),
    }
    path = write_file(tmp_path / "model.safetensors", tensors)
    content = path.read_bytes()
    start = len(content) - 4 * 4 * 8 - 64 - 16 - 16  # where the flags begin
    path.write_bytes(content[:start] + b"\2" + content[start + 1 :])
    refusals = {
        "phases": "'phases' has dtype C64",
        "flags": "'flags' of dtype BOOL holds bytes other than 0 and 1",
        "line": "'line': weights must have at least 2 dimensions",
        "long": "'long': weights holds 9007199254740993",
        "tiny": "'tiny': axis 2 is out of range",
    }
    for name, words in refusals.items():
        options = {"tensors": [name]} | ({"axes": (0, 2)} if name == "tiny" else {})
        error = (ms.InvalidInput, ms.FileFormatError)
        with pytest.raises(error, match=f"model.safetensors: tensor {words}"):
            solve_all(path, target, "2:4", **options)
    assert not target.exists()


def test_a_corrupted_shard_a_missing_one_and_a_wrong_index(source, target):
    path = source / "model-3.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    refused(ms.FileFormatError, f"{path} is not a whole safetensors", source, target)
    path.unlink()
    refused(ms.FileFormatError, f"{path} is missing", source, target)
    path.write_bytes(content)
    index = json.loads((source / INDEX).read_text())
    index["weight_map"]["scale"] = "model-1.safetensors"
    (source / INDEX).write_text(json.dumps(index))
    refused(ms.FileFormatError, "model-1.safetensors holds no tensor 'scale'", source, target)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pattern": "5:4"}, "at most m"),
        ({"method": "best"}, "unknown method 'best'"),
        ({"options": {"luck": 1}}, "'luck'"),
        ({"tensors": ["zzz"]}, "holds no tensor 'zzz'"),
        ({"tensors": ["experts"], "pattern": "2:4,plain"}, "'experts': which of its axes are inp"),
        ({"axes": {"norm": (0, 1), "zzz": (0, 1)}}, "no tensor 'zzz', for which axes are given"),
        ({"exclude": ["*"]}, "no float tensor"),
        ({"axes": (0, 5)}, r"model: tensor 'a\.weight': axis 5"),
        ({"memory": "much"}, "memory 'much'"),
        ({"memory": "1MB"}, "too little"),
        ({"threads": 0}, "threads must be a positive"),
        ({"progress": 3}, "progress"),
    ],
)
def test_arguments(source, target, options, words):
    refused(ms.MasksolveError, words, source, target, **options)


def test_where_it_cannot_go(source, tmp_path):
    other, file = tmp_path / "other", tmp_path / "file"
    other.mkdir()
    (other / "thesis.txt").write_text("two years of work")
    file.write_text("a file")
    for target, words in {
        other: f"{other} holds other files",
        source: "is the input",
        other / ".." / "model": "is the input",
        tmp_path / "nowhere" / "out": "does not exist",
        tmp_path / ("x" * 300): "too long",
        file: f"{file} is a file",
    }.items():
        with unchanged(tmp_path, files_of), pytest.raises(ms.InvalidInput, match=words) as caught:
            solve_all(source, target, "2:4")
        assert "\n" not in str(caught.value)


def test_an_empty_folder_will_do(source, target, shards):
    target.mkdir()
    solve_all(source, target, "2:4")
    assert_masks(target, shards)


def test_a_disk_without_room(source, target, monkeypatch):
    monkeypatch.setattr(places.shutil, "disk_usage", lambda path: type("", (), {"free": 7e3}))
    words = rf"{target} needs 0\.00 GB more: its disk has 0\.00 GB free"
    refused(ms.FileFormatError, words, source, target, apply=True)
    solve_all(source, target, "2:4")  # masks take less


def test_a_disk_that_fills_up_in_the_middle(source, target, shards):
    """What is done stays, and can be gone on with."""
    command = [sys.executable, "-m", "masksolve", "solve", source, target, "--pattern=2:4"]
    command += ["--apply", "--axes=0,1", "--tensors", "*"]
    # Once without a limit: what is compiled on the way is kept in files too.
    first = target.with_name("first")
    subprocess.run([first if word == target else word for word in command], check=True)
    size = (source / "model-1.safetensors").stat().st_size
    limit = (size - 1000, size - 1000)
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)  # noqa: E731
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 2
    assert re.fullmatch(r"masksolve: cannot write .*model-1\.safetensors: .*\n", done.stderr)
    assert list(target.iterdir()) == [target / WORK]
    assert subprocess.run(command, capture_output=True).returncode == 0
    solve_all(source, target.with_name("whole"), "2:4", apply=True, axes=(0, 1))
    assert files_of(target) == files_of(target.with_name("whole"))


def test_a_shard_that_is_cut_short_while_it_is_read(source, target, shards):
    """As late as can be: a run that was interrupted finds it before it is touched."""
    seen = []

    def shorten(done, total):
        if not seen:
            path = source / "model-3.safetensors"
            path.write_bytes(path.read_bytes()[:-200])
        seen.append(done)

    with pytest.raises(ms.InvalidInput, match=r"model-3\.safetensors was changed while"):
        solve_all(source, target, "2:4", largest=300, progress=shorten)
    assert not target.exists()
