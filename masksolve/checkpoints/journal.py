"""What is done, one line of JSON after the other: it outlives whatever ends the process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from masksolve.errors import InvalidInput, naming

__all__ = ["Journal"]


class Journal:
    """A file of lines that only grows; a line that was cut short does not count.

    While it is open no other process can open it.

    Attributes
    ----------
    lines : list of dict
        Those that were there when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path, "write"):
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
        try:
            self._lock()
            self.lines, length = self._read()
            self._file.truncate(length)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: trust that nobody starts two runs at once
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                f"another run is at work in {self.path.parent.parent}: wait for it to end"
            ) from None
        except OSError:
            return  # a file system without locks

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        self._file.seek(0)
        lines, length = [], 0
        for line in self._file.readall().splitlines(keepends=True):
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                found = None
            if not isinstance(found, dict):
                break
            lines.append(found)
            length += len(line)
        return lines, length

    @property
    def empty(self) -> bool:
        """Whether nothing is done yet."""
        return os.fstat(self._file.fileno()).st_size == 0

    def keep(self, count: int) -> None:
        """Forget all lines but the first ones."""
        self.lines = self.lines[:count]
        length = sum(len(_encode(line)) for line in self.lines)
        self._file.truncate(length)

    def append(self, line: dict[str, Any], *, durable: bool = False) -> None:
        """Write a line at once; durable: so that it outlives a power cut too."""
        with naming(self.path, "write"):
            self._file.write(_encode(line))
            if durable:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others open it."""
        self._file.close()


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
