"""The file that holds findings, and where they were found."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from masksolve.errors import FileFormatError

__all__ = ["OUTPUT", "cores_of", "load", "save", "significant", "where"]

OUTPUT = Path("bench-output")
"""Where findings go unless told otherwise."""


def save(found: Mapping[str, Any], path: Path) -> None:
    """Write findings as JSON, a run a line."""
    head = json.dumps({key: value for key, value in found.items() if key != "runs"}, indent=1)
    runs = ",\n".join(json.dumps(run, separators=(",", ":")) for run in found["runs"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head[:-2]},\n "runs": [\n{runs}\n]}}\n', encoding="utf-8")


def load(path: Path, needed: Collection[str], command: str) -> Any:
    """Read findings.

    Parameters
    ----------
    path : Path
    needed : collection of str
        Names of what the file must hold.
    command : str
        What leaves such files, for the error.

    Raises
    ------
    FileFormatError
        If the file is not there or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
    missing = set(needed) - set(found if isinstance(found, dict) else ())
    if missing:
        raise FileFormatError(
            f"{path} is not what `{command}` leaves: it lacks {', '.join(sorted(missing))}"
        )
    return found


def significant(value: float, digits: int) -> float:
    """Round to so many significant digits, as files keep figures."""
    return float(f"{value:.{digits}g}")


def cores_of(machine: Mapping[str, Any]) -> str:
    """Name a machine by its cores, as whatever is no ratio needs beside it."""
    kind = f" ({machine['microarchitecture']})" if "microarchitecture" in machine else ""
    return f"{machine['cores']} cores of {machine.get('cpu', 'an unknown processor')}{kind}"


def where(found: Mapping[str, Any]) -> str:
    """Name the machine, the versions and the commit, for a page."""
    machine, versions = found["machine"], found["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{cores_of(machine)}, "
        f"Python {machine.get('python_version', '?')}, {packages}, commit {machine['commit']}"
    )
