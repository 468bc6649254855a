"""A round of the torture: what it may use, and what it has found."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .command import Command, Ended

__all__ = ["Trial"]


@dataclass
class Trial:
    """A round under way.

    Attributes
    ----------
    rng : numpy.random.Generator
        All that is drawn comes from it.
    folder : Path
        An empty one, to work in.
    command : Command
    solve : callable
        As `masksolve.solve`.
    checks : int
        How many things were compared.
    failures, passed_over : list of str
        What was not as it should be, and what could not be tried here.
    """

    rng: np.random.Generator
    folder: Path
    command: Command
    solve: Callable[..., Any]
    checks: int = 0
    failures: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    def expect(self, fine: bool, said: str) -> bool:
        """Check one thing; where it is not so, `said` says what was wrong."""
        self.checks += 1
        if not fine:
            self.failures.append(said)
        return fine

    def expect_end(self, ended: Ended, codes: Collection[int], what: str) -> bool:
        """Check that a command ended with one of the codes and a line of ours at most."""
        said, code = ended.said, ended.code
        fine = code in codes and said.count("\n") <= 1
        fine = fine and (not said or (said.startswith("masksolve") and said.endswith("\n")))
        if code == 2:
            fine = fine and bool(said)
        end = "did not end in time" if code is None else f"ended with code {code}"
        return self.expect(fine, f"{what} {end} and said {said[-600:]!r}")

    def expect_done(self, *arguments: str | Path, what: str) -> bool:
        """Run a command that must go well, without a word on stderr."""
        ended = self.command.run(*arguments)
        return self.expect(ended == Ended(0, ""), f"{what}: {ended}")
