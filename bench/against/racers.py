"""Those who time calls in turn: what else the machine does meets all of them alike."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .build import HERE, Build
from .groups import Call

__all__ = ["Entrant", "Process", "Racer", "Times", "take_turns"]

Times = list[float] | str
"""Seconds, one a round; or why there are none."""


class Racer(Protocol):
    """Who times calls, and answers in the order in which they were asked for."""

    def ask(self, call: Call) -> None:
        """Have a call timed."""

    def answer(self) -> float | str:
        """Return its seconds, or why there are none."""


class Process:
    """A build's process that times calls; one that dies of a call has a successor.

    Parameters
    ----------
    build : Build
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self._running: subprocess.Popen[str] | None = None

    def ask(self, call: Call) -> None:
        """Have a call timed."""
        if self._running is None:
            self._running = self._build.start(HERE / "calls.py")
            self._build.check(self._running)
        print(json.dumps(call._asdict()), file=self._running.stdin, flush=True)

    def answer(self) -> float | str:
        """Return the seconds of a call, or why there are none."""
        if self._running is None:
            return "its process died of the call before"
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        if not line:
            code, self._running = self._running.wait(), None
            return f"its process ended with {code}"
        found = json.loads(line)
        return str(found["reason"]) if "reason" in found else float(found["seconds"])


class Entrant(NamedTuple):
    """Who is timed on what, and under which name that is shown."""

    name: str
    racer: Racer
    call: Call


def take_turns(entrants: Sequence[Entrant], rounds: int) -> dict[str, Times]:
    """Get one value of each, then the next of each; by the entrants' names."""
    for entrant in entrants:
        entrant.racer.ask(entrant.call)  # compiles, or loads: all at the same time
    found: dict[str, Times] = {}
    for entrant in entrants:
        answer = entrant.racer.answer()
        found[entrant.name] = answer if isinstance(answer, str) else []
    for k in range(rounds):
        for entrant in entrants[:: -1 if k % 2 else 1]:  # nobody is always first
            values = found[entrant.name]
            if isinstance(values, str):
                continue
            entrant.racer.ask(entrant.call)
            answer = entrant.racer.answer()
            if isinstance(answer, str):
                found[entrant.name] = answer
            else:
                values.append(answer)
    return found
