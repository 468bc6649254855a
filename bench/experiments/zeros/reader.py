"""Findings that can be asked: the worst of all seeds, and what was passed over."""

from __future__ import annotations

from dataclasses import dataclass

from .findings import Findings, Zeros
from .ways import WAYS

__all__ = ["Outcome", "Reader"]


@dataclass(frozen=True)
class Outcome:
    """The worst that a conversion did to the weights of any seed; as in `Zeros`."""

    lost: float
    largest: float
    over: float
    verdict: str
    error: float

    @property
    def kept(self) -> bool:
        """Whether the weights obey the pattern afterwards."""
        return self.verdict == "valid"

    @property
    def word(self) -> str:
        """What became of the zeros, for a table."""
        if self.kept:
            return "kept" if self.lost == 0 else "renewed"
        return "moved" if self.verdict == "nearly" else "**lost**"


class Reader:
    """Looks things up in findings.

    Attributes
    ----------
    found : mapping
    outcomes : dict of str to Outcome
        By the names of the conversions that were run,
    passed_over : dict of str to str
        and why others were not.
    """

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.outcomes: dict[str, Outcome] = {}
        self.passed_over: dict[str, str] = {}
        for name in WAYS:
            runs = [run for run in found["runs"] if run["way"] == name]
            zeros = [run["zeros"] for run in runs if run["zeros"] is not None]
            if zeros and len(zeros) == len(runs):
                self.outcomes[name] = _worst(zeros)
            else:
                why = (run["why"] for run in runs if run["why"])
                self.passed_over[name] = next(why, "not run")

    def names(self, *, kept: bool) -> list[str]:
        """Name the conversions after which weights obey the pattern, or the others."""
        return [name for name, one in self.outcomes.items() if one.kept == kept]


def _worst(runs: list[Zeros]) -> Outcome:
    verdicts = ("valid", "nearly", "broken")
    return Outcome(
        lost=max(run["lost"] for run in runs),
        largest=max(run["largest"] for run in runs),
        over=max(run["over"] for run in runs),
        verdict=max((run["verdict"] for run in runs), key=verdicts.index),
        error=max(run["error"] for run in runs),
    )
