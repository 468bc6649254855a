"""A masksolve from somewhere, alone in a folder, for processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import masksolve
from masksolve.errors import InvalidInput

from ..machine import commit
from ..pages.findings import OUTPUT

__all__ = ["HERE", "Build", "build_of", "line_of"]

HERE = Path(__file__).resolve().parent


class Build:
    """A masksolve that lies somewhere.

    Parameters
    ----------
    name : str
        What it is called beside others.
    folder : Path
        That holds ``masksolve/``.
    until : ExitStack
        Where its processes end.

    Attributes
    ----------
    name : str
    """

    def __init__(self, name: str, folder: Path, until: ExitStack) -> None:
        self.name = name
        self._folder, self._until = folder, until

    def start(self, file: Path) -> subprocess.Popen[str]:
        """Run a file with it, from which lines come and to which lines go."""
        process = subprocess.Popen(
            [sys.executable, "-P", str(file)],
            env=os.environ | {"PYTHONPATH": str(self._folder), "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._until.enter_context(process)
        self._until.callback(process.kill)
        return process

    def check(self, process: subprocess.Popen[str]) -> None:
        """Read a process' first line, which says where its masksolve lies.

        Raises
        ------
        InvalidInput
            If it is another, or if no line comes.
        """
        file = Path(line_of(process.stdout).strip())
        if file.parent.parent != self._folder:
            raise InvalidInput(f"a process of {self.name} has got {file} instead")


@contextmanager
def build_of(base: str | None) -> Iterator[Build]:
    """Get a build: of a folder that holds ``masksolve/``, or else of a commit; None: this one.

    Nothing but ``masksolve`` is taken from it, so that both builds run on the same packages.

    Raises
    ------
    InvalidInput
        If there is neither such a folder nor such a commit.
    """
    if base is None:
        folder, name = Path(masksolve.__file__).parents[1], f"commit {commit()}"
    else:
        folder, name = Path(base), f"folder {base}"
        if not (folder / "masksolve" / "__init__.py").is_file():
            folder = _unpacked(base)
            name = f"commit {folder.name}"
    with tempfile.TemporaryDirectory() as place, ExitStack() as until:
        Path(place, "masksolve").symlink_to((folder / "masksolve").resolve())
        yield Build(name, Path(place), until)


def _unpacked(revision: str) -> Path:
    """Get a commit's package out of the repository; it stays, with the kernels it compiles."""

    def git(*arguments: str) -> bytes:
        command = ["git", "-C", str(HERE.parents[1]), *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout

    try:
        found = git("rev-parse", "--verify", "--short=10", f"{revision}^{{commit}}")
        archive = git("archive", found.decode().strip(), "masksolve")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"").decode().strip() or str(error)
        raise InvalidInput(
            f"{revision!r} is neither a folder nor a commit that holds masksolve/ ({said})"
        ) from None
    kept = OUTPUT / "builds" / found.decode().strip()
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as place:
            whole = Path(place, "whole")
            whole.mkdir()
            subprocess.run(["tar", "-x", "-C", str(whole)], input=archive, check=True)
            whole.rename(kept)
    return kept


def line_of(stream: IO[str] | None) -> str:
    """Read a line that must come."""
    line = stream.readline() if stream is not None else ""
    if not line:
        raise InvalidInput("the other process ended before it answered; see above")
    return line
