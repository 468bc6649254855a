"""``masksolve solve`` on a cluster: the same files, nothing left behind, nothing said."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np
import pytest
from safetensors.numpy import save_file

from masksolve.cli.main import main
from tests.checkpoints.models import solve_all
from tests.dask.strangers import NOBODY, STRANGERS, stranger

COMMAND = """
import signal, sys
from masksolve.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
sys.exit(main(sys.argv[1:]))
"""
LONG = 300
"""Seconds after which a test has failed, not hung."""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    rng = np.random.default_rng(0)
    tensors = {f"layer{k}": rng.normal(size=(248, 128)).astype(np.float32) for k in range(5)}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def started(tmp_path):
    """Start the command in a process group of its own, with its own temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    groups = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", COMMAND, "solve", *map(str, arguments)],
            env=os.environ | {"TMPDIR": str(temporary)},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        groups.append(process.pid)
        return process

    yield start
    left = [number for group in groups for number in members(group)]
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert not left
    assert not list(temporary.iterdir())


def members(group):
    """Processes of a group that are not gone yet."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, _, its = file.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its) == group and state != "Z":
            found.append(int(name))
    return found


def same_as_here(model, out):
    """The same files as by this process alone."""
    known = out.with_name("known")
    solve_all(model, known, "2:4")
    for path in known.glob("*.safetensors"):
        assert path.read_bytes() == (out / path.name).read_bytes()


proc = pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")


@proc
def test_workers(model, started, tmp_path):
    process = started(model, tmp_path / "out", "--pattern", "2:4", "--workers", 2)
    output, errors = process.communicate(timeout=LONG)
    assert (process.returncode, errors) == (0, "")
    assert "optimal" in output
    same_as_here(model, tmp_path / "out")


@proc
def test_ctrl_c_ends_the_processes_and_the_work_goes_on(model, started, tmp_path):
    out = tmp_path / "out"
    process = started(model, out, "--pattern", "2:4", "--workers", 1)
    while len(members(process.pid)) < 3:  # the command, Python's tracker, a worker
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=LONG)
    assert process.returncode == 130
    said = f"masksolve: interrupted, the same command goes on with {out}\n"
    assert (output, errors) == ("", said)
    assert main(["solve", str(model), str(out), "--pattern", "2:4"]) == 0
    same_as_here(model, out)


def refused(capsys, *arguments):
    code = main(["solve", *map(str, arguments), "--pattern", "2:4"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("masksolve: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("masksolve: ")


@pytest.mark.parametrize("address", NOBODY)
def test_a_scheduler_that_is_not_there(model, tmp_path, capsys, address):
    words = refused(capsys, model, tmp_path / "out", "--scheduler", address)
    assert words.startswith(f"no Dask scheduler answers at {address}: ")
    assert not (tmp_path / "out").exists()


@proc
def test_whoever_is_no_scheduler_gets_a_sentence_and_nothing_else(model, started, tmp_path):
    """Nothing of Dask's or Python's at exit either, where objects that were left complain."""
    out = tmp_path / "out"
    with ExitStack() as stack:
        addresses = [stack.enter_context(stranger(kind)) for kind in STRANGERS]
        addresses += ["inproc://127.0.0.1/1/1"]
        options = [(model, out, "--pattern", "2:4", "--scheduler", a) for a in addresses]
        processes = [started(*each) for each in options]
        for address, process in zip(addresses, processes, strict=True):
            output, errors = process.communicate(timeout=LONG)
            assert (process.returncode, output) == (2, "")
            assert errors.startswith(f"masksolve: no Dask scheduler answers at {address}: ")
            assert errors.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(("option", "value"), [("--workers", 2), ("--scheduler", "tcp://x:1")])
def test_without_dask_it_says_what_to_install(model, tmp_path, capsys, monkeypatch, option, value):
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = refused(capsys, model, tmp_path / "out", option, value)
    assert words == f"{option} needs Dask: pip install 'masksolve[dask]'\n"


def test_workers_share_a_single_file(model, tmp_path):
    """The file is the one that this process writes."""
    file = model / "model.safetensors"
    outs = [tmp_path / name for name in ("here.safetensors", "there.safetensors")]
    for out, options in zip(outs, ([], ["--workers", "2"]), strict=True):
        assert main(["solve", str(file), str(out), "--pattern", "2:4", "--apply", *options]) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
