"""Bad input: one line on stderr, exit code 2, and not a byte changed or left behind."""

import shlex
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from tests.cli.commands import MODULE, SCRIPT, assert_one_line
from tests.storage.files import contents, unchanged, write_file


@pytest.fixture
def folder(tmp_path, monkeypatch, tensors):
    """One file of each kind, with `model` and `masks` the good ones."""
    monkeypatch.chdir(tmp_path)
    weights = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)

    def bad(value, dtype=np.float32):
        """Make a good tensor, then one with a bad weight: the first is written in vain."""
        second = weights.astype(dtype)
        second[5, 3] = value
        return {"good": weights, "bad": second}

    files = {
        "model": tensors,
        "nan": bad(np.nan),
        "nan16": bad(np.nan, ml_dtypes.bfloat16),
        "nan8": bad(np.nan, ml_dtypes.float8_e4m3fn),
        "inf": bad(-np.inf),
        "huge": bad(1e300, np.float64),
        "long": bad(2**53 + 1, np.int64),
        "vectors": {"bias": weights[0]},
        "nothing": {},
        "dense": {"head.weight": weights != 0},
        "wide": {"head.weight": np.zeros((8, 12), np.uint8)},
        "twos": {"head.weight": np.eye(8, dtype=np.uint8) * 2},
        "full": {"head.weight": np.ones((8, 8), np.bool_)},
        "lacking": {"encoder.0.weight": tensors["encoder.0.weight"]},
        "complex_masks": {"head.weight": np.eye(8, dtype=np.complex64)},
    }
    for name, content in files.items():
        write_file(tmp_path / name, content)
    ms.save_masks("masks", {"head.weight": ms.solve(tensors["head.weight"], "2:4")})
    write_file(tmp_path / "damaged", {"head.weight": weights}, {"masksolve": "{"})
    (tmp_path / "truncated").write_bytes((tmp_path / "model").read_bytes()[:-1])
    (tmp_path / "text").write_text("The quick brown fox\njumps over the lazy dog\n")
    (tmp_path / "empty").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("model")
    (tmp_path / "hard").hardlink_to(tmp_path / "model")
    return tmp_path


PATTERNS = {
    "5:4": "must be at most m",
    "0:4": "must be at least 1",
    "-1:4": "at least 1",
    "2:65": "at most 64",
    "2:4:8": "'2:4:8' is not of the form",
    "a:b": "'a:b' is not of the form",
    "2": "'2' is not of the form",
    "": "'' is not of the form",
    "2:4,often": "is not of the form",
    "2:99999999999": "is not of the form",
}
SOLVE = {  # options after IN OUT, or IN and OUT too: what the line must hold
    "--pattern 2:4 --method best": "unknown method 'best' exact min_cost_flow enumerate greedy",
    "--pattern 2:4 --compare greedy best": "unknown method 'best' exact greedy",
    "--pattern 2:8 --method enumerate": "'enumerate' 4 2:8",
    "--pattern 2:8 --compare enumerate": "'enumerate' 4 2:8",
    "--pattern 2:4,plain --method greedy": "'greedy' transposable exact",
    "--pattern 2:4 --tensors zzz*": "model zzz* encoder.0.weight",
    "--pattern 2:4 --tensors steps* flag*": "model float steps* flag*",
    "--pattern 2:4 --exclude *": "model no float tensor",
    "--pattern 2:4 --tensors cube": "model 'cube' 3 dimensions --axes 'cube=0,1'",
    "--pattern 2:4 --axes zzz=0,1": "model zzz axes",
    "--pattern 2:4 --axes cube=0,1 --axes cube=1,0": "axes twice 'cube'",
    "--pattern 2:4 --axes 0,1 --axes -2,-1": "axes twice '*'",
    "--pattern 2:4 --axes cube=0": "--axes 'cube=0' NAME=0,1",
    "--pattern 2:4 --tensors encoder.0.bias": "model 'encoder.0.bias' 2 dimensions",
    "--pattern 2:4 --tensors scale": "model 'scale' 2 dimensions",
    "--pattern 2:4 --tensors phases": "model 'phases' C64",
    "--pattern 2:4 --tensors head.weight --axes 0,0": "'head.weight' (0, 0) differ",
    "--pattern 2:4 --tensors head.weight --axes=1,-1": "'head.weight' (1, -1) differ",
    "--pattern 2:4 --tensors head.weight --axes 0,2": "'head.weight' axis 2 range 2 dimensions",
    "--pattern 2:4 --axes 0": "--axes '0' 0,1",
    "--pattern 2:4 --axes 0,1,2": "--axes '0,1,2'",
    "--pattern 2:4 --axes a,b": "--axes 'a,b'",
    "--pattern 2:4 --threads 0": "threads positive 0",
    "--pattern 2:4 --threads -2": "threads positive -2",
    "--pattern 2:4 --threads two": "--threads 'two'",
    "--pattern 2:4 --threads 1.5": "--threads '1.5'",
    "": "--pattern",
    "--pattern": "--pattern",
    "--pattern 2:4 --tensors": "--tensors",
    "--pattern 2:4 --brave": "--brave",
    "--pattern 2:4 --option tries=3": "'exact' no option 'tries' none",
    "--pattern 2:4 --method best_random --option luck=3": "'best_random' 'luck' tries, seed",
    "--pattern 2:4 --method best_random --option tries=0.5": "'tries' whole number 0.5",
    "--pattern 2:4 --method best_random --option tries=nan": "'tries' whole number nan",
    "--pattern 2:4 --method best_random --option tries": "--option 'tries' NAME=VALUE",
    "--pattern 2:4 --method best_random --option tries=few": "--option 'tries=few'",
}
FILES = {
    "nan out": "nan: 'bad' [5, 3] nan finite",
    "nan16 out": "nan16: 'bad' [5, 3] nan",
    "nan8 out": "nan8: 'bad' [5, 3] nan",
    "nan out --apply": "nan: 'bad' [5, 3] nan",
    "inf out": "inf: 'bad' [5, 3] -inf",
    "huge out": "huge: 'bad' [5, 3] 1e+300 2**960",
    "long out --tensors good bad": "long: 'bad' 9007199254740993 2**53",
    "vectors out": "vectors holds no float tensor bias",
    "nothing out": "nothing holds no float tensor",
    "missing out": "missing: No such file",
    "'two\nlines' out": "two lines: No such file",
    "truncated out": "truncated not a whole safetensors",
    "text out": "text not a whole safetensors",
    "empty out": "empty not a whole safetensors",
    "sub out": "sub holds no safetensors",
    "model sub": "sub folder",
    "model .": ". folder",
    "model nowhere/out": "nowhere/out folder does not exist",
    "model empty/out": "empty/out folder does not exist",
    "model model": "model is the input",
    "model sub/../model": "is the input",
    "model link": "link is the input",
    "link model": "model is the input",
    "model hard": "hard is the input",
    "model": "OUT",
}
JUDGE = {
    "check missing": "missing: No such file",
    "check truncated": "truncated not a whole safetensors",
    "check empty": "empty not a whole safetensors",
    "check sub": "sub holds no safetensors file",
    "check model": "model names no pattern --pattern",
    "check damaged": "damaged metadata",
    "check masks --pattern 9:8": "9:8 at most m",
    "check masks --tensors zzz": "masks zzz",
    "check model --pattern 2:4 --tensors zzz": "model zzz",
    "check model --pattern 2:4 --tensors steps flags cube": "'cube' --axes",
    "check model --pattern 2:4 --tensors scale": "'scale' 2 dimensions",
    "check model --pattern 2:4 --tensors phases": "'phases' C64",
    "check masks --axes 1,1": "masks 'head.weight' (1, 1) differ",
    "check": "FILE",
    "certify model": "MASKS",
    "certify model dense": "dense names no pattern --pattern",
    "certify missing masks": "missing: No such file",
    "certify model missing": "missing: No such file",
    "certify model text": "text not a whole safetensors",
    "certify truncated masks": "truncated not a whole safetensors",
    "certify sub masks": "sub holds no safetensors file",
    "certify model damaged": "damaged metadata",
    "certify lacking masks": "lacking 'head.weight'",
    "certify model wide --pattern 2:4": "'head.weight' (8, 12) (8, 8)",
    "certify model twos --pattern 2:4": "'head.weight' [0, 0] 2 0 and 1",
    "certify model full --pattern 2:4": "'head.weight' row 0 keeps 4 2:4",
    "certify model complex_masks --pattern 1:8": "'head.weight' C64",
    "certify model masks --pattern 1:4": "'head.weight' row 0 keeps 2 1:4",
    "certify model masks --threads 0": "threads positive 0",
    "certify model masks --axes 0,7": "'head.weight' axis 7",
    "certify model masks --tensors zzz": "masks zzz",
    "": "COMMAND",
    "shrink model": "'shrink' solve",
}
COMMANDS = [
    *((f"solve model out --pattern={shlex.quote(p)}", words) for p, words in PATTERNS.items()),
    *((f"solve model out {options}", words) for options, words in SOLVE.items()),
    *((f"solve {files} --pattern 2:4", words) for files, words in FILES.items()),
    *JUDGE.items(),
    (f"solve {'x' * 256} out --pattern 2:4", "too long"),
    (f"solve model {'x' * 256} --pattern 2:4", "too long"),
]


@pytest.mark.parametrize(("command", "words"), COMMANDS, ids=lambda text: text[:60])
def test_one_line_and_nothing_written(refused, folder, command, words):
    with unchanged(folder):
        refused(*shlex.split(command), words=words)
    assert list((folder / "sub").iterdir()) == []


@pytest.mark.parametrize("source", ["nan", "inf", "truncated", "missing"])
@pytest.mark.parametrize("options", [(), ("--apply",), ("--json",)], ids=str)
def test_an_older_output_stays(refused, folder, source, options):
    (folder / "out").write_bytes(b"older")
    with unchanged(folder):
        refused("solve", source, "out", "--pattern", "2:4", *options)


def test_good_input_would_be_written(run, folder):
    """Else the tests above would see nothing."""
    before = contents(folder)
    run("solve", "model", "out", "--pattern", "2:4")
    after = contents(folder)
    assert after.keys() - before.keys() == {"out"}
    assert all(after[name] == content for name, content in before.items())


@pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["masksolve", "python -m masksolve"])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("solve nan out --pattern 2:4", "nan: 'bad' [5, 3]"),
        ("solve model out --pattern 2:4:8", "'2:4:8'"),
        ("certify model masks --brave", "--brave"),
    ],
)
def test_as_a_process(folder, program, command, words):
    with unchanged(folder):
        done = subprocess.run([*program, *command.split()], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, words)


@pytest.mark.skipif(sys.platform != "linux", reason="no /dev/full")
def test_a_full_disk_behind_stdout(folder):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*MODULE, "methods"], stdout=full, stderr=subprocess.PIPE)
    assert_one_line(done.stderr.decode(), "space")
