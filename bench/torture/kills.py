"""Signals at random moments: the same command goes on, and leaves the same bytes."""

from __future__ import annotations

import signal
import time

from .jobs import draw_job, made
from .models import contents
from .trial import Trial

__all__ = ["kills"]

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FRESH = 0.05
"""Share of the rounds whose processes are started as anybody does: a second or two each.

They get no SIGINT: Ctrl-C while Python imports is held by tests of its own.
"""


def kills(trial: Trial) -> None:
    """Kill a command several times, then let it end."""
    rng, folder = trial.rng, trial.folder
    job = draw_job(trial, large=bool(rng.random() < 0.15))
    whole, target = folder / "whole", folder / "out"
    before = contents(job.source)
    fresh = bool(rng.random() < FRESH)
    start = trial.command.start_fresh if fresh else trial.command.start
    began = time.perf_counter()
    ended = start(*job.into(whole)).wait()
    seconds = time.perf_counter() - began
    trial.expect_end(ended, [0], "undisturbed, the command")
    old = {}
    if not job.folder and rng.random() < 0.5:
        target.write_bytes(b"old")
        old = made(target)
    names = {path.name for path in folder.iterdir()} | {"out"}
    for _ in range(rng.integers(1, 6)):
        number = int(rng.choice(SIGNALS[:3] if fresh else SIGNALS))
        running = start(*job.into(target))
        time.sleep(rng.uniform(0.0, 1.1) * seconds)
        running.send(number)
        trial.expect_end(running.wait(), [0, -number, 128 + number], f"signal {number}: it")
        if not job.folder:
            fine = made(target) in (old, made(whole))
            trial.expect(fine, f"signal {number}: the output is neither old nor whole")
    trial.expect_done(*job.into(target), what="killed before, the command")
    trial.expect(made(target) == made(whole), "killed and resumed, it left other bytes")
    left = {path.name for path in folder.iterdir()} - names
    left |= {name for name in contents(target) if name not in contents(whole)}
    trial.expect(not left, f"killed and resumed, it left {sorted(left)}")
    trial.expect(contents(job.source) == before, "the input was modified")
