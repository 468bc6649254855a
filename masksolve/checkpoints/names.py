"""Names of tensors, and patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from masksolve.errors import InvalidInput

__all__ = ["alike", "brief", "check_names", "matches", "matches_any", "some"]


def brief(name: str, most: int = 100) -> str:
    """Leave out the middle of a name that would make a sentence unreadable.

    Examples
    --------
    >>> brief("model.layers.0.weight"), brief("model.layers.0.weight", 15)
    ('model.layers.0.weight', 'model....weight')
    """
    half = (most - 3) // 2
    return name if len(name) <= most else f"{name[:half]}...{name[-half:]}"


def alike(name: str) -> str:
    """Return the pattern of a name and its like in other layers.

    Examples
    --------
    >>> alike("model.layers.12.mlp.experts.gate_up_proj")
    'model.layers.*.mlp.experts.gate_up_proj'
    """
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def some(names: Iterable[str]) -> str:
    """Name the first ones.

    Examples
    --------
    >>> some("abc"), some("abcd"), some("")
    ('a, b, c', 'a, b, c, ...', 'nothing')
    """
    known = list(names)
    return ", ".join([brief(name) for name in known[:3]] + ["..."] * (len(known) > 3)) or "nothing"


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name is another, or fits it as a pattern."""
    return name == pattern or fnmatchcase(name, pattern)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a name is one of the names, or fits one of the patterns."""
    return any(matches(name, pattern) for pattern in patterns)


def check_names(path: Path, names: Iterable[str], wanted: Iterable[str] | None) -> None:
    """Make sure that each name or pattern that was given means something."""
    known = list(names)
    for pattern in wanted or ():
        if not any(matches(name, pattern) for name in known):
            raise InvalidInput(f"{path} holds no tensor {brief(pattern)!r}; it holds {some(known)}")
