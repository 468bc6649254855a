"""Times: growth with size, with the pattern, with cores. Contestants take turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import masksolve as ms

from .cases import make_scores
from .contest import Contest, noting
from .machine import all_cores
from .registry import Contestant
from .results import Timed, Timing, blank

__all__ = ["Turn", "take_turns", "time_cores", "time_patterns", "time_sizes"]

CASE = "normal"
CLIMB = 4
"""Factor between the heights that are tried before the one that is timed."""
FEW, SLOW = 3, 0.1
"""Values that take more seconds than SLOW are taken FEW times."""

Section = Literal["size", "pattern", "cores"]


@dataclass(frozen=True)
class Turn:
    """A contestant whose worker is ready, and the record that its values go to.

    Attributes
    ----------
    contestant : Contestant
    record : Timed
    call : str
        Which of the worker's calls.
    cores : int or None
        Which of the contestant's workers; None: the one on all cores.
    """

    contestant: Contestant
    record: Timed
    call: str = "solve"
    cores: int | None = None

    def ask(
        self, contest: Contest, command: str, *arguments: object, limit: float | None = None
    ) -> Any:
        """Have the worker do something with the call."""
        return contest.crew.ask(
            self.contestant, command, self.call, *arguments, cores=self.cores, limit=limit
        )

    def calibrate(self, contest: Contest, limit: float | None = None) -> float:
        """Warm up; settle how many calls make a value, and return the seconds of one."""
        self.record["loops"], seconds = self.ask(contest, "calibrate", limit=limit)
        return float(seconds)


def take_turns(contest: Contest, turns: Sequence[Turn]) -> None:
    """One value of each, then the next of each: what disturbs one, disturbs them all."""
    for k in range(contest.settings.rounds):
        for turn in turns:
            record = turn.record
            loops = record["loops"] or 1
            slow = k >= FEW and record["seconds"][0] * loops > SLOW
            if record["status"] == "ok" and not slow:
                with noting(record):
                    record["seconds"].append(turn.ask(contest, "measure", loops))
    for turn in turns:
        if turn.record["status"] == "ok":
            values = turn.record["seconds"]
            low, median, high = statistics.quantiles(values, n=4, method="inclusive")
            turn.record["median"], turn.record["spread"] = median, (high - low) / 2


def time_sizes(contest: Contest, name: str) -> list[Timing]:
    """Time one square matrix after the other, for as long as a contestant keeps up."""
    pattern, settings = ms.Pattern.parse(name), contest.settings
    standing = contest.entrants(pattern)
    sides = [side for side in settings.sides if side % pattern.m == 0]
    contest.section(f"size, {name}", len(standing) * len(sides))
    per_tile = dict.fromkeys((c.name for c in standing), 0.0)
    found = []
    for side in sides:
        turns = []
        with contest.on_disk(make_scores(CASE, side, side, name, settings.seed)) as path:
            for contestant in standing:
                contest.tick(f"{contestant.name}, {side} x {side}")
                record = _blank("size", contestant.name, pattern, side, side, all_cores())
                found.append(record)
                expected = per_tile[contestant.name] * record["tiles"]
                if expected > settings.patience:
                    record["status"] = "too slow"
                    record["reason"] = f"about {expected:.2g} s a call expected"
                    continue
                with noting(record):
                    contest.prepare(contestant, path, side, pattern)
                    turn = Turn(contestant, record)
                    per_tile[contestant.name] = turn.calibrate(contest) / record["tiles"]
                    turns.append(turn)
            _time(contest, turns)
        standing = [turn.contestant for turn in turns if turn.record["status"] == "ok"]
    return found


def time_patterns(contest: Contest, name: str) -> list[Timing]:
    """Time each contestant on as much of a matrix as it can do without delay."""
    pattern = ms.Pattern.parse(name)
    contest.section(f"pattern {name}", len(contest.entrants(pattern)))
    found = _time_largest(contest, "pattern", pattern, all_cores())
    for record in found:
        if record["median"] is not None:
            contest.per_tile[record["contestant"], name] = record["median"] / record["tiles"]
    for absent in contest.absent(pattern):
        record = _blank("pattern", absent["contestant"], pattern, 0, 0, all_cores())
        record["status"], record["reason"] = absent["status"], absent["reason"]
        found.append(record)
    return found


def time_cores(contest: Contest, name: str) -> list[Timing]:
    """Time as `time_patterns` does, on one core, on two, ... and on all."""
    pattern = ms.Pattern.parse(name)
    counts = sorted({2**k for k in range(12) if 2**k < all_cores()} | {all_cores()})
    contest.section(f"cores, {name}", len(counts) * len(contest.entrants(pattern)))
    found = []
    for cores in counts:
        found += _time_largest(contest, "cores", pattern, cores)
        if cores < all_cores():
            contest.crew.dismiss(cores)
    return found


def _time_largest(
    contest: Contest, section: Section, pattern: ms.Pattern, cores: int
) -> list[Timing]:
    """Let each climb to the highest matrix that it does in time, then time them all."""
    side = contest.settings.pattern_side
    scores = make_scores(CASE, side, side, pattern, contest.settings.seed)
    turns = []
    with contest.on_disk(scores) as path:
        for contestant in contest.entrants(pattern):
            contest.tick(contestant.name)
            turns.append(_climb(contest, contestant, section, pattern, path, side, cores))
        _time(contest, turns)
    return [turn.record for turn in turns]  # type: ignore[misc]


def _climb(
    contest: Contest,
    contestant: Contestant,
    section: Section,
    pattern: ms.Pattern,
    path: Path,
    side: int,
    cores: int,
) -> Turn:
    """Calibrate on one tile row, on four, ... while the next should not take too long."""
    rows = pattern.m
    while True:
        record = _blank(section, contestant.name, pattern, rows, side, cores)
        turn = Turn(contestant, record, cores=cores)
        with noting(record):
            contest.prepare(contestant, path, rows, pattern, cores=cores)
            seconds = turn.calibrate(contest)
            if rows < side and CLIMB * seconds < contest.settings.patience:
                rows = min(CLIMB * rows, side)
                continue
        return turn


def _time(contest: Contest, turns: Sequence[Turn]) -> None:
    """Time those who are ready, and measure their memory."""
    take_turns(contest, turns)
    for turn in turns:
        if turn.record["status"] == "ok":
            with noting(turn.record):
                turn.record["peak_bytes"] = turn.ask(contest, "peak")  # type: ignore[typeddict-unknown-key]


def _blank(
    section: Section, contestant: str, pattern: ms.Pattern, rows: int, columns: int, cores: int
) -> Timing:
    return blank(
        Timing,
        section=section,
        contestant=contestant,
        case=CASE,
        pattern=str(pattern),
        rows=rows,
        columns=columns,
        tiles=rows * columns // pattern.m**2,
        cores=cores,
        seconds=[],
    )
