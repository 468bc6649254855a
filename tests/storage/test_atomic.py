"""Outputs appear whole or not at all, whatever happens while they are written."""

import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

from masksolve.storage.atomic import whole_file
from masksolve.storage.tensors import TensorSpec, write_tensors
from tests.storage.files import contents, refused

OLD = b"an older file"


class Boom(BaseException):
    pass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out"


@pytest.fixture(params=[{}, {"out": OLD}], ids=["new", "older"])
def older(request, path):
    """What stands in the folder before: nothing, or an older output."""
    for content in request.param.values():
        path.write_bytes(content)
    return request.param


def test_success_shows_the_file_only_at_the_end(path, tmp_path, older):
    with whole_file(path, 3) as file:
        file.write(b"abc")
        file.flush()
        assert path.exists() == bool(older)
        assert not older or path.read_bytes() == OLD
    assert contents(tmp_path) == {"out": b"abc"}


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt, SystemExit, ValueError])
def test_any_exception_leaves_things_as_they_were(path, tmp_path, error, older):
    with pytest.raises(error), whole_file(path, 100) as file:  # noqa: PT012
        file.write(b"x" * 50)
        raise error
    assert contents(tmp_path) == older


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077], ids=oct)
def test_permissions_follow_the_umask(path, umask):
    before = os.umask(umask)
    try:
        with whole_file(path, 0):
            pass
        assert os.umask(umask) == umask  # and it is put back
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("path", ["nowhere/out", "file/out", "x" * 256], ids=len)
def test_a_place_that_cannot_be_written_is_refused(tmp_path, path):
    (tmp_path / "file").write_bytes(OLD)
    with refused("cannot write", path), whole_file(tmp_path / path, 1):
        pytest.fail("the block must not run")
    assert contents(tmp_path) == {"file": OLD}


def test_an_unwritable_folder_is_refused(path, tmp_path):
    tmp_path.chmod(0o500)
    try:
        if os.geteuid() == 0:  # whom permissions do not stop
            os.seteuid(65534)
        with refused("cannot write", path, "denied"), whole_file(path, 1):
            pytest.fail("the block must not run")
    finally:
        os.seteuid(os.getuid())
        tmp_path.chmod(0o700)
    assert contents(tmp_path) == {}


# What happens to the process: in one of its own.

WRITER = """
import resource, signal, sys, time
from pathlib import Path
from masksolve.errors import FileFormatError
from masksolve.storage.atomic import whole_file

path, reserved, limit, wait = Path(sys.argv[1]), *map(int, sys.argv[2:])
signal.alarm(60)  # whatever goes wrong
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with whole_file(path, reserved) as file:
        for _ in range(1000):
            file.write(bytes(1000))
        file.flush()
        print("written", flush=True)
        time.sleep(wait)
except FileFormatError as error:
    sys.exit(str(error))
"""

SOLVER = """
import signal, sys, time
import masksolve.checkpoints.output as output
from masksolve.cli.main import main

def hold(*arguments):
    print("written", flush=True)
    time.sleep(3)

signal.alarm(60)  # whatever goes wrong
# Ignored from the start in what a shell runs in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
output.ShardOutput.put = hold
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("reserved", [0, 1_000_000])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(path, tmp_path, reserved, older):
    command = [sys.executable, "-c", WRITER, path, str(reserved)]
    done = subprocess.run([*command, "100000", "0"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"cannot write {path}: File too large\n"
    assert contents(tmp_path) == older
    assert subprocess.run([*command, "0", "0"], stdout=subprocess.DEVNULL).returncode == 0
    assert contents(tmp_path) == {"out": bytes(1_000_000)}


def killed(command, number):
    """Start a command, wait until it says that it is in the middle, send it a signal."""
    pipe, environment = subprocess.PIPE, os.environ | {"FORCE_COLOR": ""}  # and so no bar
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(number)
        code = process.wait()
        assert b"Traceback" not in process.stderr.read()
    return code


@pytest.fixture
def solver(tmp_path):
    """A command in the middle of solving, with an older output in place."""
    source, out = tmp_path / "in", tmp_path / "out"
    with write_tensors(source, [TensorSpec("w", "F32", (8, 8), 256)], {}) as writer:
        writer.write(np.ones((8, 8), np.float32))
        writer.finish({})
    out.write_bytes(OLD)
    command = [sys.executable, "-c", SOLVER, "solve", source, out, "--pattern", "2:4"]
    return command, contents(tmp_path)


def test_sigkill_leaves_no_output(path, tmp_path):
    assert killed([sys.executable, "-c", WRITER, path, "0", "0", "60"], signal.SIGKILL) == -9
    assert not path.exists()


def test_sigkill_leaves_input_and_older_output_whole(solver, tmp_path):
    command, before = solver
    assert killed(command, signal.SIGKILL) == -signal.SIGKILL
    after = contents(tmp_path)
    assert before == {name: after.get(name) for name in before}
    assert after.keys() == before.keys()  # of files: the work lies in a hidden folder
    assert [path.name[:15] for path in tmp_path.iterdir() if path.is_dir()] == [".masksolve-work"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_polite_kill_leaves_no_trace(solver, tmp_path, number, code):
    command, before = solver
    assert killed(command, number) == code
    assert contents(tmp_path) == before
