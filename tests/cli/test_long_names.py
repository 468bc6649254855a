"""Names of thousands of letters: they are taken, or refused in a sentence that can be read."""

import json
from pathlib import Path

import numpy as np
import pytest

import masksolve as ms
from tests.storage.files import contents, read_file, same_bits, write_file

NAME = "n" * 2500 + "m" * 2500
OTHER = "o" + NAME
LONG = {"a name": "p" * 5000, "folders": "/".join(["q" * 200] * 25), "in one": "p" * 5000 + "/x"}
READABLE = 1500
"""Letters of a sentence that names two things, however long those are."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A file, a folder of shards, what is wrong with some, and masks of the good ones."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=(8, 8)).astype(np.float32) for name in (NAME, OTHER)}
    write_file(tmp_path / "file", tensors)
    write_file(tmp_path / "nan", {NAME: np.full((8, 8), np.nan)})
    write_file(tmp_path / "conv", {NAME: np.ones((8, 8, 3, 3))})
    write_file(tmp_path / "full", {NAME: np.ones((8, 8), bool)})
    write_index("shards", tensors, "model-1.safetensors")
    write_index("lost", {}, "p" * 5000 + ".safetensors")
    write_index("wrong", {OTHER: tensors[OTHER]}, "model-1.safetensors")
    for source in ("file", "shards"):
        ms.solve_checkpoint(source, f"{source}-masks", "2:4", single=source == "file")
    return tmp_path


def write_index(path, tensors, shard):
    """Write a folder whose index says that two tensors lie in the shard."""
    Path(path).mkdir()
    if tensors:
        write_file(Path(path, shard), tensors)
    index = {"weight_map": {NAME: shard, OTHER: shard}}
    Path(path, "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.fixture
def brief(refused):
    """Refuse in one sentence that can be read."""

    def brief(*arguments, words=""):
        said = refused(*arguments, words=words)
        assert len(said) < READABLE
        assert "..." in said
        assert "cannot print" not in said

    return brief


@pytest.mark.parametrize("source", ["file", "shards"])
def test_tensors_may_have_any_name(run, folder, source):
    masks = f"{source}-masks"
    for options in ([], ["--apply"]):
        out = folder / f"out{len(options)}"
        found = run("solve", source, out, "--pattern=2:4", *options, "--json").json
        assert {row["name"] for row in found["tensors"]} == {NAME, OTHER}
        run("check", out, "--pattern=2:4", "--checksums")
    assert run("apply", source, masks, "applied", "--json").json["copied"] == 0
    run("certify", source, masks, "--tensors", NAME)
    run("solve", source, "one", "--pattern=2:4", "--tensors", NAME)
    if source == "file":
        run("plan", source, "--patterns", "2:4", "--layers", "--tensors", NAME)
        for name, array in read_file(folder / "applied").items():
            assert same_bits(array, read_file(folder / "out1")[name])


@pytest.mark.parametrize("length", [30, 60, 300])
def test_masked_weights_fit_into_their_file_by_any_name(run, tmp_path, length):
    """The room for the header was worked out without what it says of each tensor's bytes."""
    tensors = {"n" * length: np.random.default_rng(0).normal(size=(8, 8))}
    source = write_file(tmp_path / "file", tensors)
    run("solve", source, tmp_path / "out", "--pattern=2:4", "--apply")
    run("check", tmp_path / "out", "--pattern=2:4", "--checksums")


COMMANDS = [
    "solve {} out --pattern=2:4",
    "solve {} out --pattern=2:4 --apply",
    "apply {} {}-masks out",
    "check {} --pattern=2:4",
    "certify {} {}-masks",
    "plan {}",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("source", ["file", "shards"])
def test_names_that_are_not_there(brief, folder, command, source):
    if (command, source) == ("plan {}", "shards"):  # which takes a file
        return
    asked = [part.format(source) for part in command.split()]
    brief(*asked, "--tensors", f"{NAME}no", words=f"{source} holds no tensor it nnn...mmm")
    assert "out" not in contents(folder)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("solve file out --pattern=2:4 --exclude *", "no float tensor it holds"),
        (f"solve file out --pattern=2:4 --exclude * --tensors {NAME}", "among nnn"),
        ("solve nan out --pattern=2:4", "weights[0, 0] is nan"),
        ("plan nan", "weights[0, 0] is nan"),
        (f"solve conv out --pattern=2:4 --tensors {NAME}", "4 dimensions --axes 0,1"),
        (f"plan conv --tensors {NAME}", "4 dimensions --axes 0,1"),
        ("certify full full --pattern=2:4", "not a mask of 2:4 keeps 4"),
        ("certify nan full --pattern=4:4", "weights[0, 0] is nan"),
        *((f"{c} lost{rest}", "lost/ too long") for c, rest in
          (("solve", " out --pattern=2:4"), ("check", " --pattern=2:4"),
           ("certify", " file-masks"), ("apply", " file-masks out"))),
        *((f"{c} wrong{rest}", "wrong/model-1.safetensors holds no tensor index") for c, rest in
          (("solve", " out --pattern=2:4"), ("check", " --pattern=2:4"),
           ("certify", " file-masks"), ("apply", " file-masks out"))),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_what_is_wrong_with_a_tensor(brief, folder, command, words):
    brief(*command.split(), words=words)
    assert "out" not in contents(folder)


@pytest.mark.parametrize("path", LONG)
@pytest.mark.parametrize(
    "command",
    [
        "solve PATH out --pattern=2:4",
        "apply PATH file-masks out",
        "apply file PATH out",
        "check PATH --pattern=2:4",
        "check PATH --checksums",
        "certify PATH file-masks",
        "certify file PATH",
        "plan PATH",
        "solve file PATH --pattern=2:4",
        "solve file PATH --pattern=2:4 --apply",
        "solve shards PATH --pattern=2:4",
        "solve shards PATH --pattern=2:4 --apply",
        "apply file file-masks PATH",
        "apply shards shards-masks PATH",
        "plan file --plot PATH.png",
    ],
)
def test_paths(brief, folder, command, path):
    brief(*command.replace("PATH", LONG[path]).split(), words="too long")


@pytest.mark.parametrize("option", ["--pattern", "--method", "--memory", "--option", "--axes"])
def test_options(brief, folder, option):
    brief("solve", "file", "out", "--pattern=2:4", f"{option}={'p' * 5000}", words="ppp...ppp")
