"""Finished runs, kept in a file as they come, so that an interruption loses none.

The first line holds the settings, every other one a run, all as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from masksolve.errors import InvalidInput

__all__ = ["Kept"]

RunT = TypeVar("RunT")


@dataclass
class Kept(Generic[RunT]):
    """The runs that are finished.

    Attributes
    ----------
    path : Path
    runs : list
        As JSON gives them back.
    """

    path: Path
    runs: list[RunT]

    @classmethod
    def open(cls, path: Path, settings: Any) -> Kept[RunT]:
        """Read what is there, or begin.

        Parameters
        ----------
        path : Path
        settings : anything that JSON can hold
            What all runs of a file have in common.

        Raises
        ------
        InvalidInput
            If the file's runs had other settings, or it holds something else.
        """
        head = json.dumps(settings)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(head + "\n", encoding="utf-8")
            return cls(path, [])
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # the last line may have been cut off
        first, *lines = whole.splitlines() or [""]
        if first != head:
            raise InvalidInput(
                f"{path} holds runs of other settings: expected a file of the same; remove "
                "it, or name another --out"
            )
        try:
            runs: list[RunT] = [json.loads(line) for line in lines]
        except ValueError as error:
            raise InvalidInput(
                f"{path} is damaged: expected JSON on every line ({error})"
            ) from error
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        return cls(path, runs)

    def add(self, run: RunT) -> None:
        """Keep a run."""
        self.runs.append(run)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
