"""The folder that a run writes to: whose it is, the work hidden in it, and the last move."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from masksolve.checkpoints.source import MANIFEST
from masksolve.errors import FileFormatError, InvalidInput, naming

__all__ = ["Target", "refuse_target"]

WORK = ".masksolve-work"
SETTINGS = "settings.json"
JOURNAL = "journal.jsonl"
OPAQUE = {
    "source": "of another checkpoint",
    "modified": "of files that have changed since",
    "slices": "with other tensors, axes or slices (--memory)",
}
"""What to say of settings that are not readable."""


class Target:
    """The folder that a run writes to.

    All work goes on in a hidden folder inside it, until every file is whole.

    Parameters
    ----------
    path : Path
    source : Path
        The checkpoint, which it must not be.

    Raises
    ------
    InvalidInput
        If something of another kind is there.
    """

    def __init__(self, path: Path, source: Path) -> None:
        self.path = path
        self.work = path / WORK
        self.files = self.work / "files"
        with naming(path, "write", InvalidInput):  # of a name that is too long, say
            self._new = not path.exists()
            self._refuse_others(source)

    def _refuse_others(self, source: Path) -> None:
        if not self.path.absolute().parent.is_dir():
            raise InvalidInput(f"output {self.path} lies in a folder that does not exist")
        if not self.path.exists():
            return
        if os.path.samefile(self.path, source):
            raise InvalidInput(f"output {self.path} is the input: expected another folder")
        if not self.path.is_dir():
            raise InvalidInput(f"output {self.path} is a file: expected a folder for shards")
        if not (self.finished or self.work.is_dir()) and any(self.path.iterdir()):
            raise InvalidInput(
                f"output {self.path} holds other files: expected a new or an empty folder"
            )

    @property
    def finished(self) -> bool:
        """Whether a run has ended here, but for clearing up."""
        return (self.path / MANIFEST).is_file()

    @property
    def journal(self) -> Path:
        """Where the work's journal lies."""
        return self.work / JOURNAL

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin to work, or go on; refuse if the work that is there is another.

        Raises
        ------
        InvalidInput
            Naming what is different.
        FileFormatError
            If it cannot be created.
        """
        path = self.work / SETTINGS
        with naming(path, "write"):
            self.files.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                write_whole(path, json.dumps(dict(settings), indent=2))
                return
            try:
                held = json.loads(path.read_bytes())
            except ValueError:
                raise FileFormatError(f"{path} is damaged: remove {self.work}") from None
        compare_settings(self.path, held, settings)

    def check_space(self, nbytes: int) -> None:
        """Raise unless the disk has room for so many bytes, those at work included."""
        there = [self.work, self.path, self.path.absolute().parent]
        folder = next(folder for folder in there if folder.is_dir())
        with naming(folder, "write"):
            files = self.files.iterdir() if self.files.is_dir() else ()
            have = sum(file.stat().st_blocks * 512 for file in files if file.is_file())
            free = shutil.disk_usage(folder).free
        if nbytes - have > free:
            raise FileFormatError(
                f"{self.path} needs {(nbytes - have) / 1e9:.2f} GB more: its disk has "
                f"{free / 1e9:.2f} GB free"
            )

    def publish(self, names: Iterable[str]) -> None:
        """Move finished files to their place, the manifest last, and clear up."""
        with naming(self.path, "write"):
            for name in (*names, MANIFEST):
                with suppress(FileNotFoundError):  # moved before the run was interrupted
                    os.replace(self.files / name, self.path / name)
            self.clear()

    def clear(self) -> None:
        """Remove the work, the settings last."""
        if self.work.is_dir():
            if self.files.is_dir():
                shutil.rmtree(self.files)
            self.journal.unlink(missing_ok=True)
            shutil.rmtree(self.work)

    def discard(self) -> None:
        """Remove what a run that cannot succeed has made."""
        with suppress(OSError):
            self.clear()
            if self._new:
                self.path.rmdir()


def refuse_target(path: Path, inputs: Iterable[Path]) -> None:
    """Raise where no file can be written, or where one of the inputs lies."""
    with naming(path, "write", InvalidInput):  # of a name that is too long, say
        if path.is_dir():
            raise InvalidInput(f"output {path} is a folder: expected the name of a file")
        if not path.absolute().parent.is_dir():
            raise InvalidInput(f"output {path} lies in a folder that does not exist")
        if path.exists() and any(one.exists() and path.samefile(one) for one in inputs):
            raise InvalidInput(f"output {path} is the input: expected another file")
        if path.exists() and not path.is_file():
            raise InvalidInput(f"output {path} is not a regular file")


def compare_settings(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise unless two runs ask for the same."""
    for key in old:
        if old[key] != new.get(key):
            was, now = (json.dumps(one.get(key)) for one in (old, new))
            what = OPAQUE.get(key, f"with {key} {was}, not {now}")
            raise InvalidInput(
                f"output {folder} holds a run {what}: expected a new or an empty folder"
            )


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either there or not."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
