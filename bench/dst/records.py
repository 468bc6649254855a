"""What a run leaves, and what the whole experiment does: the files' contents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from masksolve.errors import FileFormatError, InvalidInput

__all__ = ["Cut", "Findings", "Kept", "Run", "load", "save"]


class Cut(TypedDict):
    """Masks by thresholds, cut to N:M after training."""

    accuracy: float
    remaining: float
    stored: float | None


class Run(TypedDict):
    """What a run leaves; lists have a value for every look."""

    task: str
    arm: str
    seed: int
    accuracy: list[float]  # held out, share
    remaining: list[float]  # of all masked weights; empty if dense
    layers: dict[str, list[float]]  # the same of each matrix
    thresholds: dict[str, list[float]]  # mean, of each weight
    patterns: dict[str, list[int]]  # N, of each weight
    stored: float | None  # share of weights that N:M has room for, at the end
    back: float  # share of what is kept at the end that was pruned after an earlier epoch
    resets: int  # of matrices, by the reset rule
    cuts: dict[str, Cut]  # by M
    milliseconds: float  # of processor time a step


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    size: str
    seeds: int
    tasks: list[dict[str, Any]]  # settings, as in `Task.settings`
    runs: list[Run]


@dataclass
class Kept:
    """Finished runs, in a file as they come, so that an interruption loses none.

    The first line holds the settings, every other one a run, all as JSON.

    Attributes
    ----------
    path : Path
    runs : list of Run
    """

    path: Path
    runs: list[Run]

    @classmethod
    def open(cls, path: Path, settings: Any) -> Kept:
        """Read what is there, or begin.

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
            runs: list[Run] = [json.loads(line) for line in lines]
        except ValueError as error:
            raise InvalidInput(
                f"{path} is damaged: expected JSON on every line ({error})"
            ) from error
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        return cls(path, runs)

    def add(self, run: Run) -> None:
        """Keep a run."""
        self.runs.append(run)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")


def save(found: Findings, path: Path) -> None:
    """Write findings as JSON, a run a line."""
    head = json.dumps({key: value for key, value in found.items() if key != "runs"}, indent=1)
    runs = ",\n".join(json.dumps(run) for run in found["runs"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head[:-2]},\n "runs": [\n{runs}\n]}}\n', encoding="utf-8")


def load(path: Path) -> Findings:
    """Read findings.

    Raises
    ------
    FileFormatError
        If the file is not there or holds something else.
    """
    try:
        found: Findings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
    missing = Findings.__required_keys__ - set(found if isinstance(found, dict) else ())
    if missing:
        raise FileFormatError(
            f"{path} is not what this experiment leaves: it lacks {', '.join(sorted(missing))}"
        )
    return found
