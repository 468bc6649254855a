"""What masksolve raises: one clear sentence each, all of them ``ValueError``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

__all__ = [
    "ClusterError",
    "FileFormatError",
    "InvalidInput",
    "InvalidPattern",
    "InvalidScore",
    "MaskViolation",
    "MasksolveError",
    "UnknownMethod",
    "about",
    "naming",
]


class MasksolveError(ValueError):
    """Base of every error that masksolve raises on purpose."""


class InvalidPattern(MasksolveError):
    """The N:M pattern makes no sense or is not supported."""


class InvalidInput(MasksolveError):
    """An array or an option is not what the function takes."""


class InvalidScore(InvalidInput):
    """A score is not finite, or too large to be summed.

    Attributes
    ----------
    name : str
        What holds it, such as ``"weights"``.
    index : tuple of int
        Where.
    value : float
    """

    def __init__(self, name: str, index: tuple[int, ...], value: float) -> None:
        why = "scores beyond 2**960 overflow when summed"
        if not isfinite(value):
            why = "scores must be finite"
        super().__init__(f"{name}[{', '.join(map(str, index))}] is {value}: {why}")
        self.name = name
        self.index = index
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return InvalidScore, (self.name, self.index, self.value)

    def within(self, name: str, start: Iterable[int]) -> InvalidScore:
        """Say the same of the whole, of which a part that starts there was solved."""
        index = tuple(k + first for k, first in zip(self.index, start, strict=True))
        return InvalidScore(name, index, self.value)


class UnknownMethod(MasksolveError):
    """No method of that name, or the method cannot solve this pattern."""


class FileFormatError(MasksolveError):
    """A file is missing, damaged, or does not hold what was asked for."""


class ClusterError(MasksolveError):
    """A cluster is not there, has gone away, or its workers cannot do the work."""


class MaskViolation(MasksolveError):
    """A mask breaks its pattern.

    Attributes
    ----------
    matrix : tuple of int
        Index of the matrix within the batch axes, ``()`` without any.
    axis : {"row", "column"}
        Which kind of line breaks the pattern.
    line : int
        Index of that row or column in the matrix.
    span : tuple of int
        Half-open range of positions along the line: the tile.
    kept : int
        How many are kept there.
    """

    def __init__(
        self,
        message: str,
        *,
        matrix: tuple[int, ...],
        axis: str,
        line: int,
        span: tuple[int, int],
        kept: int,
    ) -> None:
        super().__init__(message)
        self.matrix = matrix
        self.axis = axis
        self.line = line
        self.span = span
        self.kept = kept

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are unpickled by position; ours takes names.
        return partial(MaskViolation, **self.details), (str(self),)

    @property
    def details(self) -> dict[str, Any]:
        """All attributes by name."""
        return {k: getattr(self, k) for k in ("matrix", "axis", "line", "span", "kept")}


@contextmanager
def about(what: str) -> Iterator[None]:
    """Say before the message of an `InvalidInput` what it is about; nothing: as it is."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error}" if what else str(error)) from None


@contextmanager
def naming(
    path: Path | str, doing: str, kind: type[MasksolveError] = FileFormatError
) -> Iterator[None]:
    """Turn what the system says into one sentence: what cannot be done with which file."""
    try:
        yield
    except OSError as error:
        raise kind(f"cannot {doing} {path}: {error.strerror or error}") from None
