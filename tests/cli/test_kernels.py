"""A command line whose kernels are not all at hand: it says so, and does its work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from numba.core.caching import UserProvidedCacheLocator

from masksolve.kernels import engine
from tests.cli.commands import MATRICES, MODULE, all_that_came, assert_one_line, shown_on_a_terminal
from tests.storage.files import write_file

SOLVE = ["solve", "model", "out", "--pattern", "2:4", *MATRICES]


@pytest.fixture
def kernels(tmp_path, monkeypatch, matrices):
    """A copy of all kernels, for child processes; it gives the file of one that is small."""
    write_file(tmp_path / "model", matrices)
    subprocess.run([*MODULE, *SOLVE], cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    (tmp_path / "out").unlink()
    ours = engine._compiled(double=False).stats.cache_path
    place = UserProvidedCacheLocator.get_suitable_cache_subpath(engine.__file__)
    shutil.copytree(ours, tmp_path / "cache" / place)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    small = (tmp_path / "cache" / place).glob("*strict_certifier.locals.certify_2_4-*")
    return max(small, key=lambda path: path.stat().st_mtime)  # others are of earlier sources


def test_a_terminal_shows_that_kernels_are_compiled(kernels):
    assert b"compiling" not in shown_on_a_terminal(*SOLVE)
    kernels.unlink()
    Path("out").unlink()
    lines = shown_on_a_terminal(*SOLVE).splitlines()
    (line,) = [line for line in lines if b"compiling" in line]
    assert line.removeprefix(b"\x1b[2K") == b"compiling kernels, once"  # a bar makes room
    assert kernels.exists()


def test_a_bar_goes_on_below(kernels):
    """With a bar that is shown, the line is one of its own."""
    kernels.unlink()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    ours, theirs = os.openpty()
    code = """
import numpy as np, masksolve as ms
ms.solve(np.ones((64, 64), np.float32), "2:4", progress=True)
"""
    subprocess.run([MODULE[0], "-c", code], stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = all_that_came(ours).decode()
    assert "compiling kernels, once\r\n" in shown
    assert shown.count("compiling") == 1
    assert "100%" in shown.split("once\r\n")[1]


def test_a_pipe_gets_nothing_of_it(kernels):
    kernels.unlink()
    done = subprocess.run([*MODULE, *SOLVE], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_cache_is_one_line(kernels):
    whole = bytearray(kernels.read_bytes())
    whole[100] ^= 1
    kernels.write_bytes(whole)
    done = subprocess.run([*MODULE, *SOLVE], capture_output=True, text=True)
    assert done.returncode == 0
    assert_one_line(done.stderr, f"{kernels.parent} {kernels.name} compiled anew")
    assert Path("out").exists()


def test_so_is_one_that_cannot_be_written(kernels):
    """It is not the output that could not be written, nor stdout."""
    kernels.unlink()
    kernels.mkdir()
    done = subprocess.run([*MODULE, *SOLVE], capture_output=True, text=True)
    assert done.returncode == 0
    assert_one_line(done.stderr, f"{kernels.parent} compiled anew directory")
    assert Path("out").exists()
