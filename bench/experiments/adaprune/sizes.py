"""How much is run: a look in seconds, or everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "ABSORBED",
    "ADAM",
    "ADAPRUNE",
    "MAIN",
    "ONE_SHOT",
    "RENEWED",
    "SIZES",
    "Arm",
    "Method",
    "Size",
]

ONE_SHOT, ABSORBED, ADAPRUNE, RENEWED = "one-shot", "absorbed", "AdaPrune", "masks renewed"
ADAM = "AdaPrune, 100 steps of Adam"
MAIN = "4:8"
"""The pattern that Adam is tried with as well, and that the summary tells of."""

Method = Literal["exact", "greedy"]

OPTIONS: Mapping[str, dict[str, Any]] = {
    ADAPRUNE: {"mode": "parallel", "remask": 0},
    ADAM: {"mode": "parallel", "optimizer": "adam", "iterations": 100},
    RENEWED: {},
}
"""Of `adaprune`.

AdaPrune is the published problem: the mask by magnitude, solved for each layer by itself. Adam
is how it was published, with a tenth of its steps. The last is what `adaprune` does unless told
otherwise.
"""


@dataclass(frozen=True)
class Arm:
    """A way to prune.

    Attributes
    ----------
    recovery : str
        What is done about the loss.
    pattern : str
    method : {"exact", "greedy"}
        Of the masks.
    """

    recovery: str
    pattern: str
    method: Method = "exact"

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.recovery}, {self.pattern}, {self.method}"

    @property
    def by_data(self) -> bool:
        """Whether it takes calibration batches, so that seeds differ by more than the test."""
        return self.recovery in OPTIONS

    @property
    def options(self) -> dict[str, Any]:
        """Of `adaprune`, if it takes calibration batches."""
        return OPTIONS.get(self.recovery, {})


@dataclass(frozen=True)
class Size:
    """What a run of the experiment covers.

    Attributes
    ----------
    name : str
    encoder : {"all-MiniLM-L6-v2", "tiny"}
    widths : tuple of int
        M of the patterns; N is its half.
    calibration, held_out : int
        Sentences.
    seeds : int
        Unless the command says otherwise.
    """

    name: str
    encoder: Literal["all-MiniLM-L6-v2", "tiny"]
    widths: tuple[int, ...]
    calibration: int
    held_out: int
    seeds: int

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms; greedy masks only where they are not the best anyway."""
        found = []
        for both in (f"{m // 2}:{m}" for m in self.widths):
            for pattern in (both, f"{both},plain"):
                found += [Arm(name, pattern) for name in (ONE_SHOT, ABSORBED, ADAPRUNE)]
            found += [Arm(name, both, "greedy") for name in (ONE_SHOT, ADAPRUNE)]
            found += [Arm(RENEWED, both)]
            found += [Arm(ADAM, both)] if both == MAIN else []
        return tuple(found)


SIZES = {
    size.name: size
    for size in (
        Size("smoke", "tiny", (4, 8), 24, 24, 2),
        Size("full", "all-MiniLM-L6-v2", (4, 8, 16, 32), 192, 192, 5),
    )
}
