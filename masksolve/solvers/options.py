"""Parameters of the methods: their defaults, what they mean, what they may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

from masksolve.errors import InvalidInput

__all__ = ["Option", "as_options"]


@dataclass(frozen=True)
class Option:
    """A parameter of a method.

    Attributes
    ----------
    default : int or float
        An int: only whole numbers are taken.
    meaning : str
    least, most : int or float
        What it may be, both ends included.
    """

    default: float
    meaning: str
    least: float
    most: float

    def summary(self) -> dict[str, Any]:
        """Return what a table shows of it."""
        return asdict(self)

    def read(self, name: str, value: Any) -> float:
        """Validate a value."""
        whole = isinstance(self.default, int)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and self.least <= value <= self.most:
            if not whole:
                return float(value)
            if value == math.floor(value):
                return int(value)
        kind = "a whole number" if whole else "a number"
        raise InvalidInput(
            f"option {name!r} must be {kind} from {self.least:g} to {self.most:g}, got {value!r}"
        )


def as_options(
    method: str, known: Mapping[str, Option], given: Mapping[str, float] | None
) -> dict[str, float]:
    """Fill what was given up with defaults.

    Raises
    ------
    InvalidInput
        For a name or a value that the method does not take.
    """
    if given is None:
        return {name: option.default for name, option in known.items()}
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"options must be a mapping of names to numbers, got {type(given).__name__}"
        )
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InvalidInput(f"method {method!r} has no option {name!r}: {takes}")
    return {
        name: option.read(name, given[name]) if name in given else option.default
        for name, option in known.items()
    }
