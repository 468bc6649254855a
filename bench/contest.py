"""What all sections share: contestants, their processes, settings, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import masksolve as ms

from .crew import Crew, Failure
from .registry import Contestant
from .results import Outcome, Status
from .settings import Settings

__all__ = ["Contest", "Progress", "needs", "noting"]

Progress = Callable[[str, float, str], None]
"""Told the section, the share of it that is done, and what comes next."""


def needs(modules: Sequence[str]) -> str:
    """Say in a few words what is not installed; nothing if all is there."""
    return f"needs {', '.join(modules)}: not installed" if modules else ""


@contextmanager
def noting(record: Outcome) -> Iterator[None]:
    """Put a failure into the record that it belongs to, and go on."""
    try:
        yield
    except Failure as failure:
        record["status"], record["reason"] = failure.status, failure.reason


class Contest:
    """One run of the suite.

    Attributes
    ----------
    contestants : list of Contestant
    crew : Crew
    settings : Settings
    per_tile : dict
        Seconds a tile by (contestant, pattern), once timed: to plan by.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        crew: Crew,
        settings: Settings,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self.contestants, self.crew, self.settings = list(contestants), crew, settings
        self.per_tile: dict[tuple[str, str], float] = {}
        self._scratch, self._progress = scratch, progress
        self._section, self._done, self._steps = "", 0, 1

    def section(self, name: str, steps: int) -> None:
        """Begin a section of at most so many steps."""
        self._section, self._done, self._steps = name, 0, max(1, steps)

    def tick(self, what: str) -> None:
        """Say what the next step is."""
        self._progress(self._section, min(1.0, self._done / self._steps), what)
        self._done += 1

    def entrants(self, pattern: ms.Pattern) -> list[Contestant]:
        """Give those who are there and take the pattern."""
        return [c for c in self.contestants if not c.missing() and c.fits(pattern.n, pattern.m)]

    def absent(self, pattern: ms.Pattern) -> Iterator[Outcome]:
        """Say of everybody else why not."""
        for c in self.contestants:
            status: Status = "missing" if c.missing() else "does not fit"
            if c.missing() or not c.fits(pattern.n, pattern.m):
                reason = needs(c.missing()) or f"does not take {pattern}"
                yield {"contestant": c.name, "status": status, "reason": reason}

    @contextmanager
    def on_disk(self, scores: NDArray[np.float32]) -> Iterator[Path]:
        """Write a matrix for every process to map, and delete it afterwards."""
        path = self._scratch / "scores.npy"
        np.save(path, scores)
        try:
            yield path
        finally:
            path.unlink()

    def prepare(
        self, contestant: Contestant, path: Path, rows: int, pattern: ms.Pattern, **cores: Any
    ) -> None:
        """Have a worker get ready for the first rows of a matrix."""
        self.crew.ask(contestant, "prepare", path, rows, pattern.n, pattern.m, **cores)

    def mask(
        self, contestant: Contestant, path: Path, rows: int, pattern: ms.Pattern
    ) -> NDArray[np.bool_]:
        """Get a contestant's mask of the first rows of a matrix."""
        answer = self._scratch / "mask.npy"
        self.prepare(contestant, path, rows, pattern)
        self.crew.ask(contestant, "mask", answer)
        mask: NDArray[np.bool_] = np.load(answer)
        answer.unlink()
        return mask
