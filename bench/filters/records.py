"""What runs leave, in a file as they come, and what the whole experiment leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from masksolve.errors import FileFormatError, InvalidInput

__all__ = ["Findings", "Kept", "LayerErrors", "Point", "Run", "load", "save"]


class LayerErrors(TypedDict):
    """A layer's relative error, once drawn: as it may be and as it is."""

    name: str
    published: float | None  # with the published delta
    proven: float | None
    certified: float
    measured: float
    held_out: float


class Point(TypedDict):
    """A network pruned to a budget."""

    budget: float
    share: list[float]  # of the parameters, of each draw
    wrong: list[float]  # held out, of each draw
    output: list[float]  # relative error of the output's norm, of each draw
    tuned: float  # held out, the first draw trained on
    kept: list[int]  # filters, of each group, of the first draw
    layers: list[list[LayerErrors]]  # of each draw


class Run(TypedDict):
    """What a sampler made of a network."""

    seed: int
    sampler: str
    dense: float  # held out, share that is wrong before
    trained_on: float  # the same after as much tuning as pruned networks get
    filters: list[int]  # of each group
    makers: list[list[str]]
    sensitivities: list[float]  # their sum in each group
    points: list[Point]


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    seeds: int
    parameters: int
    runs: list[Run]


@dataclass
class Kept:
    """Finished runs; the file's first line holds the settings, every other a run.

    Attributes
    ----------
    path : Path
    runs : list of Run
    """

    path: Path
    runs: list[Run]

    @classmethod
    def open(cls, path: Path, settings: dict[str, Any]) -> Kept:
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
                f"{path} holds runs of other settings: remove it, or name another --out"
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
