"""What users ask of layers with thresholds: their kind, first value and reset rule."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal, TypeAlias, get_args

from masksolve.errors import InvalidInput

__all__ = ["PUBLISHED_BELOW", "Kind", "as_kind", "as_number", "as_share"]

Kind: TypeAlias = Literal["vector", "scalar", "matrix"]
KINDS: tuple[str, ...] = get_args(Kind)

PUBLISHED_BELOW = 0.01
"""At which share a mask is taken back, in the paper's code."""


def as_kind(kind: Kind) -> Kind:
    """Return a kind of thresholds."""
    if kind not in KINDS:
        raise InvalidInput(f"thresholds must be one of {', '.join(KINDS)}, got {kind!r}")
    return kind


def as_number(value: Any, name: str, least: float = float("-inf")) -> float:
    """Return a finite number of at least `least`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not isfinite(number) or number < least:
        wanted = "a finite number" if least == float("-inf") else f"a number from {least:g} up"
        raise InvalidInput(f"{name} must be {wanted}, got {value!r}")
    return number


def as_share(value: Any, name: str = "reset_below") -> float | None:
    """Return None, or a share from 0 to 1."""
    if value is None:
        return None
    number = as_number(value, name, 0)
    if number > 1:
        raise InvalidInput(f"{name} must be a share from 0 to 1, or None, got {value!r}")
    return number
