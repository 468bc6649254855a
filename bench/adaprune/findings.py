"""What is read from the figures: means over seeds, differences on the same sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import fmean

from ..experiments.estimates import Estimate, estimate
from .records import Findings, Run
from .sizes import ADAPRUNE, ONE_SHOT, Arm, Method

__all__ = ["Reader"]


class Reader:
    """Reads findings.

    Parameters
    ----------
    found : Findings

    Attributes
    ----------
    found : Findings
    patterns : list of str
        Transposable ones, by width; each is there plain as well.
    """

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.patterns = [f"{m // 2}:{m}" for m in found["settings"]["widths"]]
        self._runs: dict[Arm, dict[int, Run]] = {}
        for run in found["runs"]:
            arm = Arm(run["recovery"], run["pattern"], run["method"])
            self._runs.setdefault(arm, {})[run["seed"]] = run

    def has(self, arm: Arm) -> bool:
        """Tell whether an arm was run."""
        return arm in self._runs

    def runs(self, arm: Arm) -> list[Run]:
        """Return an arm's runs, by seed."""
        return [self._runs[arm][seed] for seed in range(self.found["seeds"])]

    def values(self, arm: Arm, what: str) -> list[float]:
        """Return a figure of each seed."""
        return [float(run[what]) for run in self.runs(arm)]  # type: ignore[literal-required]

    def mean(self, arm: Arm, what: str) -> Estimate:
        """Return a figure's mean over seeds."""
        return estimate(self.values(arm, what))

    def less(self, arm: Arm, other: Arm, what: str) -> Estimate:
        """Return a figure less another arm's for the same sentences."""
        return self._paired(lambda a, b: a - b, arm, other, what)

    def recovered(self, arm: Arm, what: str = "cosine") -> Estimate:
        """Return the share of what one-shot lost that an arm gives back.

        One-shot of the same pattern and method, for the same sentences.
        """
        return self.avoided(arm, Arm(ONE_SHOT, arm.pattern, arm.method), what)

    def avoided(self, arm: Arm, other: Arm, what: str) -> Estimate:
        """Return by what share an arm's loss is below another's, for the same sentences."""
        return self._paired(lambda a, b: (a - b) / (1 - b), arm, other, what)

    def layers(self, pattern: str, method: Method = "exact") -> dict[str, list[float]]:
        """Return errors of AdaPrune's layers: one-shot, absorbed, fitted; means over seeds."""
        runs = self.runs(Arm(ADAPRUNE, pattern, method))
        return {
            name: [fmean(run["layers"][name][k] for run in runs) for k in range(3)]
            for name in runs[0]["layers"]
        }

    def _paired(
        self, of: Callable[[float, float], float], arm: Arm, other: Arm, what: str
    ) -> Estimate:
        pairs: Iterable[tuple[float, float]] = zip(
            self.values(arm, what), self.values(other, what), strict=True
        )
        return estimate(of(a, b) for a, b in pairs)
