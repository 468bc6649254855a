"""Rounds of all kinds, each drawn from a seed of its own, and what they found."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import masksolve as ms

from .command import Command
from .kinds import KINDS
from .trial import Trial

__all__ = ["Counts", "Torture"]


@dataclass
class Counts:
    """What the rounds of a kind have come to.

    Attributes
    ----------
    rounds, checks, failures : int
    passed_over : Counter
        What could not be tried, and how often.
    seconds : float
    """

    rounds: int = 0
    checks: int = 0
    failures: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Torture:
    """Rounds of some kinds, one after the other.

    Parameters
    ----------
    seed : int
    kinds : iterable of str
        Letters in `KINDS`.
    command : Path, optional
        A Python file whose ``main`` takes the place of masksolve's: see `Command`.
    solve : callable
        What takes the place of `masksolve.solve`.
    tell : callable
        Gets every line that there is to be said.
    keep : Path, optional
        Where the files of a round that failed are left.

    Attributes
    ----------
    counts : dict of str to Counts
        By the letters of the kinds.
    """

    def __init__(
        self,
        seed: int = 0,
        kinds: Iterable[str] = KINDS,
        *,
        command: Path | None = None,
        solve: Callable[..., Any] = ms.solve,
        tell: Callable[[str], None] = print,
        keep: Path | None = None,
    ) -> None:
        self.seed = seed
        self.counts = {kind: Counts() for kind in kinds}
        self._command = Command(command)
        self._solve = solve
        self._tell = tell
        self._keep = keep

    @property
    def failed(self) -> bool:
        """Whether anything was not as it should be."""
        return any(counts.failures for counts in self.counts.values())

    def next_kind(self) -> str:
        """Return the kind that has had the least time."""
        return min(self.counts, key=lambda kind: self.counts[kind].seconds)

    def round(self, kind: str, number: int | None = None) -> None:
        """Do a round of a kind: that of a number, or the next."""
        counts = self.counts[kind]
        number = counts.rounds if number is None else number
        with tempfile.TemporaryDirectory(prefix="masksolve-torture-") as name:
            rng = np.random.default_rng([self.seed, ord(kind), number])
            trial = Trial(rng, Path(name), self._command, self._solve)
            began = time.perf_counter()
            try:
                KINDS[kind].round(trial)
            except Exception:
                trial.expect(False, traceback.format_exc())
            finally:
                self._command.stop()
            counts.seconds += time.perf_counter() - began
            if trial.failures:
                self._report(kind, number, trial)
        counts.rounds += 1
        counts.checks += trial.checks
        counts.failures += len(trial.failures)
        for said in trial.passed_over:
            if said not in counts.passed_over:
                self._tell(f"passed over: {said}")
            counts.passed_over[said] += 1

    def _report(self, kind: str, number: int, trial: Trial) -> None:
        again = f"{__package__} --seed {self.seed} --kinds {kind} --round {number}"
        self._tell("\n".join([f"failed: python -m {again}", *trial.failures]))
        if self._keep is not None:
            place = self._keep / f"{kind}-{number}"
            shutil.copytree(trial.folder, place, symlinks=True, dirs_exist_ok=True)
            self._tell(f"its files are in {place}")
