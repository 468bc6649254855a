"""Whoever interrupts a command hears one line at most; what was ignored at its start stays so."""

import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import MODULE, SCRIPT
from tests.storage.files import write_file

LINE = re.compile("masksolve: interrupted, .*\n")
DELAYS = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6]


def caught(pid):
    """Whether a process has a handler for SIGINT, as Python's own is."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> signal.SIGINT - 1 & 1)


def begun(command):
    """Start a command; it goes on when Python has begun and its first line of ours has run.

    That line takes Python's handler away. What comes before is the interpreter's. Tests that
    run in the background ignore interrupts themselves: not so the command.
    """
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, preexec_fn=hear, **options)
    for awaited in (True, False):
        while process.poll() is None and caught(process.pid) != awaited:
            time.sleep(0.0002)
    assert process.poll() is None, "Python's handler was there to the end"
    return process


@pytest.fixture
def command(tmp_path, request):
    weights = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    write_file(tmp_path / "model", {"weight": weights})
    files = [str(tmp_path / name) for name in ("model", "out")]
    return [*request.param, "solve", *files, "--pattern", "8:16"]


both = pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"], indirect=True)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@both
@pytest.mark.parametrize("delay", DELAYS)
def test_an_interrupt_at_any_moment_is_quiet(command, delay, tmp_path):
    process = begun(command)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    err = process.communicate()[1].decode()
    assert err == "" or LINE.fullmatch(err), err
    assert process.returncode in (-signal.SIGINT, 130, 0)
    if process.returncode:
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@both
def test_what_was_ignored_at_the_start_stays_so(command, name, tmp_path):
    """As nohup ignores SIGHUP, and a shell SIGINT for what runs in the background."""
    number = getattr(signal, name)
    shell = ["sh", "-c", f'trap "" {name[3:]}; exec "$@"', "sh", *command]
    process = subprocess.Popen(shell, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.05)  # the shell's own start
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.02)
    assert process.communicate()[1] == b""
    assert process.returncode == 0
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_others_end_it_with_their_number(name):
    number = getattr(signal, name)
    code = f"""
import os, signal, sys
from masksolve.cli import main
signal.signal({int(number)}, signal.SIG_DFL)
def run(options):
    os.kill(os.getpid(), {int(number)})
    raise AssertionError("it went on")
main.methods.add_commands = lambda commands: commands.add_parser("x").set_defaults(run=run)
sys.exit(main.main(["x"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (128 + number, b"")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_one_that_falls_into_a_callback_comes_again(name):
    """Python drops what is raised there: nobody would hear of it."""
    number = getattr(signal, name)
    code = f"""
import signal, sys, time
from masksolve.cli import main
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
class Dies:
    def __del__(self):
        signal.raise_signal({int(number)})
def run(options):
    Dies()
    time.sleep(60)
    raise AssertionError("it went on")
main.methods.add_commands = lambda commands: commands.add_parser("x").set_defaults(run=run)
sys.exit(main.main(["x"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 128 + number
    assert "Traceback" not in done.stderr
