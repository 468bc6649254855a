"""Which tensors of a file or a checkpoint to work on, and which axes are the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from masksolve.errors import InvalidInput
from masksolve.storage.tensors import TensorSpec

__all__ = ["Tensors", "brief", "check_names", "choose_tensors", "matches_any"]


class Tensors(Protocol):
    """What holds tensors: a file, or a checkpoint."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def tensors(self) -> Mapping[str, TensorSpec]:
        """All of them by name."""
        ...


def brief(name: str, most: int = 100) -> str:
    """Leave out the middle of a name that would make a sentence unreadable.

    Examples
    --------
    >>> brief("model.layers.0.weight"), brief("model.layers.0.weight", 15)
    ('model.layers.0.weight', 'model....weight')
    """
    half = (most - 3) // 2
    return name if len(name) <= most else f"{name[:half]}...{name[-half:]}"


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a name is one of the names, or fits one of the patterns."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def check_names(path: Path, names: Iterable[str], wanted: Iterable[str] | None) -> None:
    """Make sure that each name or pattern that was given means something."""
    known = list(names)
    for pattern in wanted or ():
        if not any(matches_any(name, [pattern]) for name in known):
            raise InvalidInput(
                f"{path} holds no tensor {brief(pattern)!r}; it holds {_some(known)}"
            )


def choose_tensors(
    source: Tensors,
    wanted: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    axes: tuple[int, int] | None = None,
    *,
    integers: bool = False,
) -> dict[str, tuple[int, int]]:
    """Choose the tensors to work on, and say which axes are each one's matrix.

    Patterns choose among float tensors of at least two dimensions (`integers`: of any
    dtype); a name in full chooses any tensor. By default it is every 2-D one, with
    `axes` every one of more dimensions too.
    """
    tensors = source.tensors
    check_names(source.path, tensors, wanted)
    named = list(wanted or ())
    chosen = {}
    for name, spec in tensors.items():
        fit = (spec.floating or integers) and len(spec.shape) >= 2
        if not (named or axes):
            fit = fit and len(spec.shape) == 2
        wished = matches_any(name, named or ["*"]) and not matches_any(name, exclude)
        if wished and (fit or name in named):
            chosen[name] = axes or _default_axes(source.path, spec)
    if not chosen:
        kind = "" if integers else "float "
        asked = f" among {' '.join(map(brief, named))}" if named else ""
        raise InvalidInput(
            f"{source.path} holds no {kind}tensor to solve{asked}; it holds {_some(tensors)}"
        )
    return chosen


def _some(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join([brief(name) for name in known[:3]] + ["..."] * (len(known) > 3)) or "nothing"


def _default_axes(path: Path, spec: TensorSpec) -> tuple[int, int]:
    if len(spec.shape) > 2:
        raise InvalidInput(
            f"{path}: tensor {brief(spec.name)!r} has {len(spec.shape)} dimensions: say which "
            "two are the matrix, --axes 0,1 for a PyTorch convolution, or --exclude it"
        )
    return (-2, -1)
