"""Where a run writes to: a file or a folder, the work hidden there, and the last move."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from masksolve.checkpoints.lock import lock
from masksolve.checkpoints.manifest import is_as_written
from masksolve.checkpoints.source import MANIFEST, WORK
from masksolve.errors import FileFormatError, InvalidInput, naming
from masksolve.storage.hashing import WeightsHash

__all__ = ["FileTarget", "FolderTarget", "Target", "compare_settings"]

SETTINGS = "settings.json"
JOURNAL = "journal.jsonl"
LOCK = "lock"
FILES = "files"
OPAQUE = {
    "source": "of another checkpoint",
    "slices": "with other tensors, axes or slices (--memory)",
    "masks": "with other masks",
}
"""What to say of settings that are not readable."""


class Target(ABC):
    """Where a run writes to.

    All work goes on in a hidden folder, until every file is whole.

    Parameters
    ----------
    path : Path
    inputs : iterable of Path
        What is read, none of which it may be.

    Attributes
    ----------
    path, work, files : Path
        `files` is where files take shape.
    kind : {"file", "folder"}
    manifested : bool
        Whether a manifest says what is there.

    Raises
    ------
    InvalidInput
        If something of another kind is there.
    """

    work: Path
    kind: str
    manifested: bool

    def __init__(self, path: Path, inputs: Iterable[Path]) -> None:
        self.path = path
        with naming(path, "write", InvalidInput):  # of a name that is too long, say
            self._new = not os.path.lexists(path)
            if not path.absolute().parent.is_dir():
                raise InvalidInput(f"output {path} lies in a folder that does not exist")
            self.refuse_inputs(inputs)
            self._refuse_others()
        self.files = self.work / FILES

    def refuse_inputs(self, inputs: Iterable[Path]) -> None:
        """Raise if what is read lies where the output goes."""
        path = self.path
        if path.exists() and any(one.exists() and path.samefile(one) for one in inputs):
            raise InvalidInput(f"output {path} is the input: expected another {self.kind}")

    @abstractmethod
    def _refuse_others(self) -> None:
        """Raise if the place is taken."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether a run has ended here, but for clearing up."""

    @abstractmethod
    def place(self, name: str) -> Path:
        """Return where a file goes in the end."""

    @property
    def journal(self) -> Path:
        """Where the work's journal lies."""
        return self.work / JOURNAL

    @property
    def untouched(self) -> bool:
        """Whether nothing is done that could be gone on with."""
        return not self.journal.is_file() or not self.journal.stat().st_size

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other runs out.

        Raises
        ------
        InvalidInput
            If another run is at work there.
        FileFormatError
            If nothing can be created.
        """
        with lock(self.work / LOCK, self.path):
            yield

    def open(
        self, settings: Mapping[str, Any], inputs: Mapping[str, Mapping[str, int]]
    ) -> dict[str, Any]:
        """Begin to work, or go on; refuse if the work that is there is another.

        Parameters
        ----------
        settings : mapping
            What the output depends on.
        inputs : mapping
            What the files that are read are known by.

        Returns
        -------
        dict
            What they were known by when the work began.

        Raises
        ------
        InvalidInput
            Naming what is different.
        FileFormatError
            If it cannot be created, or makes no sense.
        """
        path = self.work / SETTINGS
        with naming(path, "write"):
            self.files.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                try:
                    self.write(path, json.dumps({"settings": settings, "inputs": inputs}, indent=2))
                except OSError:
                    self.discard()
                    raise
                return dict(inputs)
            content = path.read_bytes()
        held, before = _read_settings(content)
        if held is None or before is None:
            raise FileFormatError(
                f"{path} is damaged, or of another version of masksolve: remove {self.work}"
            )
        instead = f"remove {self.work} to give that up"
        compare_settings(self.path, held, settings, instead)
        for name, now in inputs.items():
            was = before.get(name, {})
            if any(was.get(key) != now[key] for key in ("size", "modified")):
                said = "of files that have changed since"
                raise InvalidInput(f"output {self.path} holds a run {said}: {instead}")
        return before

    def write(self, path: Path, text: str) -> None:
        """Write a file that is either there or not."""
        part = self.work / "part"
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    def check_space(self, nbytes: int) -> None:
        """Raise unless the disk has room for so many bytes, those at work included."""
        with naming(self.path, "write"):
            have, free = self._space()
        if nbytes - have > free:
            raise FileFormatError(
                f"{self.path} needs {(nbytes - have) / 1e9:.2f} GB more: its disk has "
                f"{free / 1e9:.2f} GB free"
            )

    def _space(self) -> tuple[int, int]:
        """Return the bytes that are there from an earlier run, and those that are free."""
        for folder in (self.work, self.path):
            with suppress(FileNotFoundError):  # none, or none any more: another run ends just now
                free = shutil.disk_usage(folder).free
                files = [file for file in self.files.rglob("*") if file.is_file()]
                return sum(file.stat().st_blocks * 512 for file in files), free
        return 0, shutil.disk_usage(self.path.absolute().parent).free

    def check_whole(self, files: Mapping[str, Mapping[str, Any]], *, read: bool) -> None:
        """Raise unless every file is there as it was written: at work, or in its place already.

        Parameters
        ----------
        files : mapping of str to mapping
            Their sizes and checksums.
        read : bool
            Whether to compare the checksums too of those at work: an earlier run wrote them.
        """
        for name, entry in files.items():
            at_work, place = self.files / name, self.place(name)
            with naming(at_work, "read"):
                if not at_work.is_file():  # moved before the run was interrupted, or gone
                    whole = place.is_file() and is_as_written(place, entry)
                elif read:
                    whole = is_as_written(at_work, entry)
                else:
                    whole = at_work.stat().st_size == entry["bytes"]
            if not whole:
                raise FileFormatError(f"{at_work} is not as it was written: remove {self.work}")

    def publish(self, names: Iterable[str], folders: Iterable[Path]) -> None:
        """Make empty folders, move finished files to their place, in order, and clear up."""
        with naming(self.path, "write"):
            for folder in folders:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            for name in names:
                place = self.place(name)
                with suppress(FileNotFoundError):  # moved before the run was interrupted
                    if (self.files / name).exists():
                        place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(self.files / name, place)
            self.clear()

    def clear(self) -> None:
        """Remove the work, the settings last; the caller keeps others out."""
        if self.files.is_dir():
            shutil.rmtree(self.files)
        for name in (JOURNAL, "part", SETTINGS, LOCK):
            (self.work / name).unlink(missing_ok=True)
        with suppress(OSError):  # of something else that lies there, or of the next run
            self.work.rmdir()

    def discard(self) -> None:
        """Remove what a run that cannot succeed has made."""
        with suppress(OSError):
            self.clear()
            if self._new and self.path.is_dir():
                self.path.rmdir()


class FolderTarget(Target):
    """A folder, with the work inside it and a manifest when all is done."""

    kind = "folder"
    manifested = True

    def _refuse_others(self) -> None:
        self.work = self.path / WORK
        try:
            empty = not any(self.path.iterdir())
        except FileNotFoundError:  # or gone just now, with a run that could not succeed
            empty = True
            if os.path.lexists(self.path):  # a link to nothing
                raise
        except NotADirectoryError:
            raise InvalidInput(
                f"output {self.path} is a file: expected a folder for shards"
            ) from None
        # In this order: a run that ends just now has its manifest before its work goes.
        if not (empty or self.work.is_dir() or self.finished):
            raise InvalidInput(
                f"output {self.path} holds other files: expected a new or an empty folder"
            )

    @property
    def finished(self) -> bool:
        """Whether the manifest, which comes last, is there."""
        return (self.path / MANIFEST).is_file()

    def place(self, name: str) -> Path:
        """Return the path of that name in the folder."""
        return self.path / name


class FileTarget(Target):
    """A file, with the work in a hidden folder beside it; one that is there is replaced."""

    kind = "file"
    manifested = False

    def _refuse_others(self) -> None:
        if self.path.is_dir():
            raise InvalidInput(f"output {self.path} is a folder: expected the name of a file")
        if self.path.exists() and not self.path.is_file():
            raise InvalidInput(f"output {self.path} is not a regular file")
        name = WeightsHash()
        name.update(os.fsencode(self.path.name))  # which may be as long as names can be
        self.work = self.path.with_name(f"{WORK}-{name.text[-16:]}")

    @property
    def finished(self) -> bool:
        """False: a file does not say what it was asked for, so it is made again."""
        return False

    def place(self, name: str) -> Path:
        """Return the path of the file: there is but one."""
        return self.path


def compare_settings(
    place: Path, old: Mapping[str, Any], new: Mapping[str, Any], instead: str
) -> None:
    """Raise unless two runs ask for the same, saying what to do instead."""
    for key in [*old, *(key for key in new if key not in old)]:
        was, now = old.get(key), new.get(key)
        if was != now:
            said = f"with {key} {json.dumps(was)}, not {json.dumps(now)}"
            raise InvalidInput(f"output {place} holds a run {OPAQUE.get(key, said)}: {instead}")


def _read_settings(content: bytes) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Read what `Target.open` wrote; None, None if it makes no sense."""
    try:
        found = json.loads(content)
        settings, inputs = dict(found["settings"]), dict(found["inputs"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
    if not all(isinstance(entry, dict) for entry in inputs.values()):
        return None, None
    return settings, inputs
