"""The program as a process of its own, and the one line that it has for what is wrong."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SCRIPT = [str(Path(sys.executable).with_name("masksolve"))]
MODULE = [sys.executable, "-m", "masksolve"]

MATRICES = ("--tensors", "*.weight", "--exclude", "conv.weight")
"""Choose the ragged ones too, which by default are passed over."""


def assert_one_line(err, words):
    """One line of ours that holds all of the words."""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert err.startswith("masksolve")
    assert "Traceback" not in err
    assert [word for word in words.split() if word not in err] == [], err


def shown_on_a_terminal(*command):
    """What a command that goes well shows on stderr where that is a terminal."""
    ours, theirs = os.openpty()
    subprocess.run([*MODULE, *command], stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    return all_that_came(ours)


def all_that_came(terminal):
    """Read a terminal whose other end is closed: a single read gives a part."""
    parts = []
    with suppress(OSError):  # its end
        while part := os.read(terminal, 1 << 12):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts)
