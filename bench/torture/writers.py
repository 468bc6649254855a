"""Several processes on one output: one does the work, the others say so."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import masksolve as ms

from .jobs import Job, draw_job, made
from .models import PATTERNS, contents
from .trial import Trial

__all__ = ["writers"]

BUSY = "another run is at work in"
OTHER = "holds a run"
"""What one says that was to do something else than the work that is there."""


def writers(trial: Trial) -> None:
    """Start two or three at once, and kill one now and then."""
    rng, folder = trial.rng, trial.folder
    job = draw_job(trial)
    whole, target = folder / "whole", folder / "out"
    began = time.perf_counter()
    trial.expect_done(*job.into(whole), what="undisturbed")
    seconds = time.perf_counter() - began
    outputs = [made(whole)]
    jobs = [job] * int(rng.integers(2, 4))
    if job.verb == "solve" and rng.random() < 0.3:
        jobs[-1] = _otherwise(job)
        trial.expect_done(*jobs[-1].into(folder / "otherwise"), what="undisturbed")
        outputs.append(made(folder / "otherwise"))
    before = {path.name for path in folder.iterdir()} | {"out"}
    running = []
    for one in jobs:
        running.append(trial.command.start(*one.into(target)))
        time.sleep(rng.choice([0.0, rng.uniform(0.0, seconds)]))
    victim = int(rng.integers(len(jobs))) if rng.random() < 0.4 else None
    if victim is not None:
        time.sleep(rng.uniform(0.0, 0.5) * seconds)
        running[victim].send(signal.SIGKILL)
    ends = [one.wait() for one in running]
    said = (BUSY,) if len(outputs) == 1 else (BUSY, OTHER)
    for k, ended in enumerate(ends):
        what = f"one of {len(jobs)} writers"
        trial.expect_end(ended, [0, 2] if k != victim else [0, 2, -signal.SIGKILL], what)
        if ended.code == 2:
            fine = any(words in ended.said for words in said)
            trial.expect(fine, f"{what} was refused, but by: {ended.said!r}")
    killed = any(ended.code == -signal.SIGKILL for ended in ends)
    done = any(ended.code == 0 for ended in ends)
    trial.expect(done or killed, "of several writers none ended well")
    if killed:  # perhaps one that had begun anew after another had ended
        codes = [
            trial.command.run(*one.into(target)).code
            for one in {one.pattern: one for one in jobs}.values()
        ]
        trial.expect(0 in codes, "the work of a killed writer cannot be gone on with")
    _check_whole(trial, target, outputs)
    left = sorted({path.name for path in folder.iterdir()} - before)
    trial.expect(not left, f"several writers left {left}")


def _otherwise(job: Job) -> Job:
    """Ask for another pattern."""
    pattern = next(one for one in PATTERNS if one != job.pattern)
    options = tuple(pattern if one == job.pattern else one for one in job.options)
    return Job(job.verb, job.source, job.shards, job.inputs, options, pattern, job.folder)


def _check_whole(trial: Trial, target: Path, outputs: list[dict[str, bytes | None]]) -> None:
    """Check that the output is that of one of them, and nothing beside it."""
    found = {name: one for name, one in contents(target).items() if name != "."}
    plain = [{name: one for name, one in each.items() if name != "."} for each in outputs]
    same = contents(target) in outputs or found in plain
    trial.expect(same, "several writers' output is that of none of them")
    try:
        ms.verify_checkpoint(target)
    except ms.MasksolveError as error:
        trial.expect(False, f"several writers' output: {error}")
