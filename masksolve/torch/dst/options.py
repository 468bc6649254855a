"""What users ask of layers with thresholds: their kind, and when masks are taken back."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from masksolve.errors import InvalidInput

__all__ = ["PUBLISHED_BELOW", "Kind", "as_kind"]

Kind: TypeAlias = Literal["vector", "scalar", "matrix"]
KINDS: tuple[str, ...] = get_args(Kind)

PUBLISHED_BELOW = 0.01
"""At which share a mask is taken back, in the paper's code."""


def as_kind(kind: Kind) -> Kind:
    """Return a kind of thresholds."""
    if kind not in KINDS:
        raise InvalidInput(f"thresholds must be one of {', '.join(KINDS)}, got {kind!r}")
    return kind
