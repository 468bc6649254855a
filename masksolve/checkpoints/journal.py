"""What is done, one line of JSON after the other: it outlives whatever ends the process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from masksolve.errors import FileFormatError, naming
from masksolve.result import Status

__all__ = ["Journal"]

VERDICT = {
    *("method", "objective", "upper_bound", "status", "weights", "total"),
    *("tiles", "short_tiles", "seconds", "rivals"),
}
"""What is known of a slice that is solved."""


class Journal:
    """A file of lines that only grows; a line that was cut short does not count.

    Attributes
    ----------
    lines : list of dict
        Those that were there when it was opened.

    Raises
    ------
    FileFormatError
        If it cannot be opened, or a line is whole and makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path, "write"):
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
        try:
            self.lines, length = self._read()
            self._file.truncate(length)
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        self._file.seek(0)
        lines, length = [], 0
        for line in self._file.readall().splitlines(keepends=True):
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except (ValueError, RecursionError):
                found = None
            if found is None:
                break
            if not _makes_sense(found):
                raise FileFormatError(f"{self.path} is damaged: remove {self.path.parent}")
            lines.append(found)
            length += len(line)
        return lines, length

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
        """Write no more."""
        self._file.close()


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _makes_sense(line: Any) -> bool:
    """Tell whether a line is one that we may have written: of a step, or of a whole file."""
    if not isinstance(line, dict):
        return False
    if "shard" in line:
        entry = line.get("entry")
        return (
            isinstance(line["shard"], str)
            and isinstance(entry, dict)
            and type(entry.get("bytes")) is int
            and isinstance(entry.get("header"), str)
            and isinstance(entry.get("tensors"), dict)
        )
    at, end = line.get("at"), line.get("end")
    fine = isinstance(at, list) and [type(value) for value in at] == [str, int]
    fine = fine and type(end) is int and end >= 0
    fine = fine and isinstance(line.get("written"), str) and isinstance(line.get("open"), bool)
    return fine and ("status" not in line or _tells_a_verdict(line))


def _tells_a_verdict(line: dict[str, Any]) -> bool:
    if not VERDICT.issubset(line):
        return False
    numbers = [line[key] for key in ("objective", "seconds", "tiles", "short_tiles")]
    numbers += [line[key] for key in ("upper_bound", "total") if line[key] is not None]
    rivals = line["rivals"]
    return (
        isinstance(line["status"], str)
        and line["status"] in {status.value for status in Status}
        and isinstance(line["method"], str)
        and isinstance(line["weights"], str)
        and all(map(_is_number, numbers))
        and isinstance(rivals, list)
        and all(isinstance(one, list) and len(one) == 3 for one in rivals)
        and all(_is_number(value) for one in rivals for value in one)
    )


def _is_number(value: Any) -> bool:
    """Tell whether it is one that float64 can hold."""
    largest = sys.float_info.max
    return type(value) in (int, float) and -largest <= value <= largest
