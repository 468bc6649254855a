"""What the system refuses is said for what it is: it is not always stdout that fails."""

import os
import subprocess
import sys

import pytest

from masksolve.cli import main as command
from tests.cli.commands import MODULE, assert_one_line

linux = pytest.mark.skipif(sys.platform != "linux", reason="no /dev/full")


@pytest.fixture
def failing(monkeypatch, refused):
    """Run a command that fails as it is told to."""

    def failing(error, words):
        def run(options):
            raise error

        def add(commands):
            commands.add_parser("x").set_defaults(run=run)

        monkeypatch.setattr(command.methods, "add_commands", add)
        line = refused("x", words=words)
        assert "print" not in line

    return failing


def test_a_file_is_named(failing):
    failing(PermissionError(13, "Permission denied", "/some/file"), "denied /some/file")


def test_what_has_no_file_is_said_as_the_system_says_it(failing):
    failing(OSError(12, "Cannot allocate memory"), "system Cannot allocate memory")
    failing(BrokenPipeError(32, "Broken pipe"), "system Broken pipe")  # of a worker's, say
    failing(OSError("as a library puts it"), "as a library puts it")


@linux
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_stdout_that_takes_nothing(unbuffered):
    """Written at once, or all at the end."""
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*MODULE, "methods"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 2
    assert_one_line(done.stderr, "cannot print No space left")


@linux
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*MODULE, "methods"], stdout=theirs, stderr=subprocess.PIPE, env=environment
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


@linux
def test_stderr_that_takes_nothing():
    """The exit code is all there is."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*MODULE, "check", "no such file"], stderr=full)
    assert done.returncode == 2
