"""What a run leaves, and what the whole experiment does: the file's contents."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["WINDOW", "Findings", "Run"]

WINDOW = 40
"""Steps between renewals that are seldom; over so many masks are compared with themselves."""


class Run(TypedDict):
    """What a run leaves; lists have a value for every look, the last at the end."""

    task: str
    arm: str
    seed: int
    loss: list[float]  # held out, nats
    accuracy: list[float]  # held out, share
    flips: list[float]  # share of the masks' entries that flip in a renewal, mean
    moved: list[float]  # share of them that differ from `WINDOW` steps before
    kept: list[float]  # share of the body's sum of |w| that masks keep, last renewal
    density: float  # share of the body's weights that are kept at the end
    seconds: float


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    size: str
    tasks: list[dict[str, Any]]  # settings, as in `Task`
    runs: list[Run]
