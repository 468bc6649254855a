"""What a run leaves, and what the whole experiment does: the file's contents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

from masksolve.errors import FileFormatError

__all__ = ["WINDOW", "Findings", "Run", "load", "save"]

WINDOW = 40
"""Steps between renewals that are seldom; over so many masks are compared with themselves."""


class Run(TypedDict):
    """What a run leaves; lists have a value for every look, the last at the end."""

    task: str
    arm: str
    seed: int
    loss: list[float]  # held out, nats
    accuracy: list[float]  # held out, share
    flips: list[float]  # share of the masks' entries that flip in a renewal, mean
    moved: list[float]  # share of them that differ from `WINDOW` steps before
    kept: list[float]  # share of the body's sum of |w| that masks keep, last renewal
    density: float  # share of the body's weights that are kept at the end
    seconds: float


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    size: str
    tasks: list[dict[str, Any]]  # settings, as in `Task`
    runs: list[Run]


def save(found: Findings, path: Path) -> None:
    """Write findings as JSON, a run a line."""
    head = json.dumps({key: value for key, value in found.items() if key != "runs"}, indent=1)
    runs = ",\n".join(json.dumps(run, separators=(",", ":")) for run in found["runs"])
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
            f"{path} is not what the training experiment leaves: it lacks "
            f"{', '.join(sorted(missing))}"
        )
    return found
