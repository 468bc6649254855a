"""Who takes part: our methods, the rivals, and whoever a user adds."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import masksolve as ms

from . import rivals
from .registry import JOINED, Contestant

__all__ = ["contestants"]


def contestants(files: Sequence[Path] = ()) -> dict[str, Contestant]:
    """Return every contestant by name: our methods, the rivals, and those of the files.

    Parameters
    ----------
    files : sequence of Path
        Python files that define contestants, read once each.

    Raises
    ------
    InvalidInput
        If a file cannot be run or defines none.
    """
    joined = {n: c for n, c in JOINED.items() if c.solve.__module__.startswith(rivals.__name__)}
    for file in files:
        joined |= _read(file)
    ours = {
        method.name: Contestant(
            method.name,
            partial(_ours, method.name),
            method.reference,
            exact=method.exact,
            takes="matrix",
            fits=partial(_within, method.max_m),
            ours=True,
        )
        for method in ms.METHODS.values()
    }
    return ours | joined


def _within(max_m: int, n: int, m: int) -> bool:
    return m <= max_m


def _ours(method: str, scores: NDArray[np.float32], n: int, m: int) -> NDArray[np.bool_]:
    return ms.solve(scores, ms.Pattern(n, m), method=method).mask


_READ: dict[Path, dict[str, Contestant]] = {}


def _read(file: Path) -> dict[str, Contestant]:
    """Run a user's file once, and return the contestants that it defines."""
    path = file.resolve()
    if path in _READ:
        return _READ[path]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ms.InvalidInput(f"{file} is no Python file: expected one with a @contestant")
    before = set(JOINED)
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:
        raise ms.InvalidInput(f"{file} does not run: {type(error).__name__}: {error}") from error
    found = {name: c for name, c in JOINED.items() if name not in before}
    if not found:
        raise ms.InvalidInput(f"{file} defines no solver: expected a @contestant function")
    _READ[path] = found
    return found
