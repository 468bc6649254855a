"""What is found of every conversion."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Findings", "Run", "Zeros"]


class Zeros(TypedDict):
    """What became of the zeros of weights."""

    lost: float  # share of the zeros that are none afterwards
    largest: float  # size of the largest of them over that of the largest weight
    over: float  # share of the lines of four with more than two nonzeros
    verdict: str  # of `inspect_zeros`
    error: float  # norm of the change over the norm of the weights


class Run(TypedDict):
    """A conversion of the weights of a seed."""

    way: str
    seed: int
    why: str  # why it could not be run; empty if it was
    zeros: Zeros | None


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    runs: list[Run]
