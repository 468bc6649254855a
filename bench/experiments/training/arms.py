"""The arms: dense, and every way in which masks come into training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

__all__ = [
    "ARMS",
    "DECAY",
    "DECAYS",
    "DENSE",
    "ESTIMATORS",
    "EVERY",
    "FEW",
    "GRID",
    "METHODS",
    "PATTERNS",
    "PLAIN",
    "RATES",
    "WINDOW",
    "Arm",
    "grid",
]

Estimator = Literal["ste", "sr_ste"]

WINDOW = 40
"""Steps between renewals that are seldom; over so many masks are compared with themselves."""
PATTERNS = ("2:4", "4:8", "8:16")
PLAIN = "2:4,plain"
METHODS = ("exact", "greedy", "two_approx")
ESTIMATORS: tuple[Estimator, ...] = ("ste", "sr_ste")
EVERY = (1, WINDOW)
DECAY = 2e-4
"""Of SR-STE, as published (Zhou et al. 2021),"""
DECAYS = (2e-3, 2e-2)
"""and what else is tried in one pattern."""
RATES = (0.5, 2.0)
"""Other rates of learning that are tried in one pattern, as multiples of the task's."""


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes
    ----------
    pattern : str or None
        None: dense.
    method : str
        Who finds the masks.
    estimator : {"ste", "sr_ste"}
    every : int
        Steps between renewals.
    decay : float
        Of SR-STE.
    rate : float
        Of learning, as a multiple of the task's.
    """

    pattern: str | None
    method: str = "exact"
    estimator: Estimator = "ste"
    every: int = 1
    decay: float = DECAY
    rate: float = 1.0

    @property
    def label(self) -> str:
        """Name it: "4:8 exact ste 1", with what else is unusual in brackets."""
        words = ["dense"]
        if self.pattern is not None:
            words = [self.pattern, self.method, self.estimator, str(self.every)]
        if self.decay != DECAY:
            words.append(f"(decay {self.decay:g})")
        if self.rate != 1:
            words.append(f"(rate x {self.rate:g})")
        return " ".join(words)


DENSE = Arm(None)


def grid(pattern: str, methods: tuple[str, ...] = METHODS) -> list[Arm]:
    """List a pattern's arms: methods, estimators, frequencies."""
    return [Arm(pattern, *ways) for ways in product(methods, ESTIMATORS, EVERY)]


GRID = (DENSE, *grid(PLAIN, ("exact",)), *(arm for pattern in PATTERNS for arm in grid(pattern)))
"""What is compared throughout."""
ARMS = (
    *GRID,
    *(Arm("4:8", estimator="sr_ste", decay=decay) for decay in DECAYS),
    *(
        arm
        for rate in RATES
        for arm in (Arm(None, rate=rate), *(Arm("4:8", every=every, rate=rate) for every in EVERY))
    ),
)
"""All that is run."""
FEW = (
    DENSE,
    Arm(PLAIN),
    Arm("2:4"),
    *(Arm("4:8", method) for method in METHODS),
    Arm("4:8", every=40),
    Arm("4:8", estimator="sr_ste"),
)
"""Some of each kind, to see that all is well."""
