"""The package of a commit, for processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from masksolve.errors import InvalidInput

__all__ = ["HERE", "Build", "build_of", "line_of"]

HERE = Path(__file__).resolve().parent


class Build:
    """A masksolve that lies somewhere.

    Parameters
    ----------
    folder : Path
        That holds ``masksolve/``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, file: Path) -> subprocess.Popen[str]:
        """Run a file with it, from which lines come and to which lines go."""
        return subprocess.Popen(
            [sys.executable, "-P", str(file)],
            env=os.environ | {"PYTHONPATH": str(self._folder), "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextmanager
def build_of(commit: str | None) -> Iterator[Build]:
    """Get the package of a commit out of the repository; None: as it lies in the checkout.

    Raises
    ------
    InvalidInput
        If this is no checkout, or has no such commit.
    """
    root = HERE.parent.parent
    if commit is None:
        yield Build(root)
        return
    with tempfile.TemporaryDirectory() as place:
        command = ["git", "-C", str(root), "archive", commit, "masksolve"]
        found = subprocess.run(command, capture_output=True)
        if found.returncode:
            reason = found.stderr.decode().strip().split("\n")[0]
            raise InvalidInput(f"there is no package of commit {commit!r}: {reason}")
        subprocess.run(["tar", "-x", "-C", place], input=found.stdout, check=True)
        yield Build(Path(place))


def line_of(stream: IO[str] | None) -> str:
    """Read a line that must come."""
    line = stream.readline() if stream is not None else ""
    if not line:
        raise InvalidInput("the other process ended before it answered; see above")
    return line
