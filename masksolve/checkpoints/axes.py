"""Which axes of which tensor are its matrix, where the caller knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from masksolve.checkpoints.names import brief, matches, some
from masksolve.errors import InvalidInput

__all__ = ["Axes", "AxesByName"]

Axes: TypeAlias = tuple[int, int] | Mapping[str, tuple[int, int]] | None


@dataclass(frozen=True)
class AxesByName:
    """Axes by names, or patterns of names, of which the first that fits counts.

    Examples
    --------
    >>> given = AxesByName.of({"*.experts.*": (2, 1), "*": (0, 1)})
    >>> given.get("layers.0.experts.down"), given.get("layers.0.conv.weight")
    ((2, 1), (0, 1))
    >>> AxesByName.of((-2, -1)).get("any"), AxesByName.of(None).get("any")
    ((-2, -1), None)
    """

    pairs: Sequence[tuple[str, tuple[int, int]]] = ()

    @classmethod
    def of(cls, axes: Axes | AxesByName) -> AxesByName:
        """Take a pair of axes for every tensor, or a mapping of names to pairs.

        Raises
        ------
        InvalidInput
            If it is neither.
        """
        if isinstance(axes, AxesByName):
            return axes
        if axes is None:
            return cls()
        given: Iterable[Any] = axes.items() if isinstance(axes, Mapping) else [("*", axes)]
        found = []
        for pattern, pair in given:
            if not (isinstance(pattern, str) and isinstance(pair, Sequence) and len(pair) == 2):
                raise InvalidInput(
                    "axes must be two integers, or a mapping of names to two integers, "
                    f"got {axes!r:.100}"
                )
            found.append((pattern, (pair[0], pair[1])))
        return cls(found)

    def get(self, name: str) -> tuple[int, int] | None:
        """Return the axes that were given for a tensor."""
        return next((pair for pattern, pair in self.pairs if matches(name, pattern)), None)

    def check(self, path: Path, names: Iterable[str]) -> None:
        """Refuse a pattern that comes twice, or that no tensor fits: a slip would be silent.

        Raises
        ------
        InvalidInput
            Naming it.
        """
        known, seen = list(names), set()
        for pattern, _ in self.pairs:
            if pattern in seen:
                raise InvalidInput(f"axes are given twice for {brief(pattern)!r}")
            seen.add(pattern)
            if pattern != "*" and not any(matches(name, pattern) for name in known):
                raise InvalidInput(
                    f"{path} holds no tensor {brief(pattern)!r}, for which axes are given; it "
                    f"holds {some(known)}"
                )
