"""What a contestant is, and how a solver becomes one.

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

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import masksolve as ms

__all__ = ["JOINED", "Contestant", "contestant"]

if __name__ != "masksolve.bench.registry":  # a second one, of which the first knows nothing
    raise ImportError(f"{__name__} is masksolve.bench.registry: import masksolve.bench instead")

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


JOINED: dict[str, Contestant] = {}
"""Every solver that has joined so far, by name: rivals and users' own."""


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
    if name in JOINED or name in ms.METHODS:
        raise ValueError(f"there is a contestant {name!r} already")

    def join(function: Function) -> Function:
        JOINED[name] = Contestant(name, function, reference, exact, takes, modules, quirks, fits)
        return function

    return join
