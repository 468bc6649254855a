"""Who takes part: our methods, the rivals, and whoever a user adds.

A solver joins by one decorated function:

>>> from masksolve.bench import contestant
>>> @contestant(name="diagonal", reference="an example")
... def diagonal(scores, n):
...     m = scores.shape[-1]
...     mask = (np.arange(m)[:, None] + np.arange(m)) % m < n
...     return np.broadcast_to(mask, scores.shape)
>>> diagonal(np.ones((1, 2, 2)), 1).astype(int)
array([[[1, 0],
        [0, 1]]])
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

import masksolve as ms

__all__ = ["Contestant", "contestant", "contestants"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _any_pattern(n: int, m: int) -> bool:
    return True


@dataclass(frozen=True)
class Contestant:
    """A solver, and what to know about it.

    Attributes
    ----------
    name : str
    solve : callable
        ``solve(scores, n) -> masks`` for ``takes="tiles"``: scores float32 >= 0 and masks
        bool, both of shape (t, m, m). ``solve(scores, n, m) -> mask`` for
        ``takes="matrix"``: both of the shape of a matrix whose sides are multiples of m.
        The scores must be left as they are.
    reference : str
        Paper or library that it follows.
    exact : bool
        Whether it promises the optimum.
    takes : {"tiles", "matrix"}
        Tiles are cut before the clock starts.
    needs : tuple of str
        Modules that must be there; without them it is reported as missing.
    quirks : str
        Where it differs from its paper, and what else a reader should know.
    fits : callable
        ``fits(n, m)``: whether it takes the pattern.
    ours : bool
        Whether it is a method of masksolve.
    """

    name: str
    solve: Callable[..., Any] = field(repr=False)
    reference: str
    exact: bool = False
    takes: Literal["tiles", "matrix"] = "tiles"
    needs: tuple[str, ...] = ()
    quirks: str = ""
    fits: Callable[[int, int], bool] = field(default=_any_pattern, repr=False)
    ours: bool = False

    def missing(self) -> list[str]:
        """List the modules that it needs and that are not installed."""
        return [name for name in self.needs if not _is_there(name)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it is a part of
        return False


_JOINED: dict[str, Contestant] = {}


def contestant(
    *,
    name: str,
    reference: str,
    exact: bool = False,
    takes: Literal["tiles", "matrix"] = "tiles",
    needs: Sequence[str] | str = (),
    quirks: str = "",
    fits: Callable[[int, int], bool] = _any_pattern,
) -> Callable[[Function], Function]:
    """Make a function a contestant; the arguments are `Contestant`'s.

    The function should import what it ``needs`` inside, so that without it the others
    still run.

    Raises
    ------
    ValueError
        If the name is taken, or ``takes`` is neither.
    """
    if takes not in ("tiles", "matrix"):
        raise ValueError(f"takes={takes!r}: expected 'tiles' or 'matrix'")
    modules = (needs,) if isinstance(needs, str) else tuple(needs)
    if name in _JOINED or name in ms.METHODS:
        raise ValueError(f"there is a contestant {name!r} already")

    def join(function: Function) -> Function:
        _JOINED[name] = Contestant(name, function, reference, exact, takes, modules, quirks, fits)
        return function

    return join


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
    rivals = importlib.import_module(".rivals", __package__).__name__
    joined = {n: c for n, c in _JOINED.items() if c.solve.__module__.startswith(rivals)}
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
    before = set(_JOINED)
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:
        raise ms.InvalidInput(f"{file} does not run: {type(error).__name__}: {error}") from error
    found = {name: c for name, c in _JOINED.items() if name not in before}
    if not found:
        raise ms.InvalidInput(f"{file} defines no solver: expected a @contestant function")
    _READ[path] = found
    return found
