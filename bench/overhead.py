"""What renewing masks costs a training loop."""

from __future__ import annotations

import importlib.util
from typing import Any

import masksolve as ms

from .contest import Contest, needs, noting
from .crew import START_LIMIT, Failure
from .registry import Contestant
from .results import Training, blank
from .timing import Turn, take_turns

__all__ = ["DENSE", "time_training"]

DENSE = "dense"
"""Stands in for a contestant where there are no masks."""
MODULES = ("torch", "sklearn")
WEIGHTS = 512 * 512 + 512 * 64
"""Masked weights of the network: to tell beforehand who would take too long."""
STEPS = 40
"""Steps of a call: all loops alike, so that setting off costs them the same,"""
RENEWALS = 1.0
"""but no more than so many seconds of renewals, if there is more than one."""


def time_training(contest: Contest) -> list[Training]:
    """Time a step of a training loop that renews its masks never, or every k steps.

    A contestant's overhead is over the same loop in the same process that never renews.
    All loops take turns.
    """
    pattern = ms.Pattern.parse(contest.settings.training_pattern)
    entrants = contest.entrants(pattern)
    contest.section("training", len(entrants))
    turns: list[Turn] = []
    found = [_blank(pattern, None, **absent) for absent in contest.absent(pattern)]
    for contestant in entrants:
        contest.tick(contestant.name)
        trouble = _blank(pattern, None, contestant=contestant.name)
        with noting(trouble):
            turns += _ready(contest, contestant, pattern, _renewal(contest, contestant, pattern))
        if trouble["status"] != "ok":
            found.append(trouble)
    # Loop by loop, so that each comes after another process: in a row the later ones gain.
    take_turns(contest, sorted(turns, key=lambda turn: turn.call))
    records: list[Training] = [turn.record for turn in turns]  # type: ignore[misc]
    still = {r["contestant"]: r["median"] for r in records if r["every"] is None}
    for record in records:
        rest = still[record["contestant"]]
        if record["every"] is not None and record["median"] is not None and rest:
            record["overhead"] = record["median"] / rest - 1
    return found + records


def _renewal(contest: Contest, contestant: Contestant, pattern: ms.Pattern) -> float:
    """Foretell the seconds of a renewal; tell who cannot take part before it is set up."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure("missing", needs(missing))
    per_tile = contest.per_tile.get((contestant.name, str(pattern)))
    if per_tile is None:
        raise Failure("failed", f"could not be timed on {pattern} before")
    expected = per_tile * WEIGHTS / pattern.m**2
    if expected > contest.settings.training_patience:
        raise Failure("too slow", f"about {expected:.2g} s a renewal expected")
    return expected


def _ready(
    contest: Contest, contestant: Contestant, pattern: ms.Pattern, renewal: float
) -> list[Turn]:
    """Set up every loop of a contestant: dense (once in all), never, every k steps."""
    turns = []
    kinds = [(contestant.name, k) for k in (None, *contest.settings.training_every)]
    kinds += [(DENSE, None)] if contestant.name == "exact" else []
    for name, every in kinds:
        call = DENSE if name == DENSE else f"every {every}"
        turn = Turn(contestant, _blank(pattern, every, contestant=name), call)
        steps = STEPS
        if every is not None:
            steps = every * max(1, min(STEPS // every, int(RENEWALS / renewal)))
        asked = (str(pattern), every, steps, name != DENSE)
        turn.ask(contest, "train", *asked, limit=START_LIMIT)
        turn.calibrate(contest, START_LIMIT)
        turns.append(turn)
    return turns


def _blank(pattern: ms.Pattern, every: int | None, **outcome: Any) -> Training:
    return blank(Training, pattern=str(pattern), every=every, seconds=[], **outcome)
