"""Inputs that are rewritten in mid-run: the output is of one of the two, or there is none."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from .jobs import Job, draw_job, made
from .models import Shards, drawn_again, write
from .trial import Trial

__all__ = ["changes"]

MANIFEST = "masksolve.json"
"""It tells inputs apart by their times, so that no two are the same."""
WAYS = ("in place", "in place, old times", "renamed", "renamed, old times", "rewritten", "deleted")


def changes(trial: Trial) -> None:
    """Run on one input while another takes its place; then once more."""
    rng, folder = trial.rng, trial.folder
    job = draw_job(trial)
    other, file = folder / "other", _choose(trial, job.shards)
    shards = {**job.shards, file: drawn_again(rng, job.shards[file])}
    write(other, shards, folder=job.folder)
    began = time.perf_counter()
    outputs = [_output(trial, job, job.source, folder / "first")]
    seconds = time.perf_counter() - began
    if job.verb == "solve":  # masks of the first fit no other weights
        outputs.append(_output(trial, job, other, folder / "second"))
    target, way = folder / "out", str(rng.choice(WAYS))
    running = trial.command.start(*job.into(target))
    time.sleep(rng.uniform(0.0, 1.0) * seconds)
    old, new = (one / file if job.folder else one for one in (job.source, other))
    _change(old, new, way)
    ended = running.wait()
    what = f"input changed in mid-run ({way}): "
    trial.expect_end(ended, [0, 2], what + "it")
    _judge(trial, ended.code, target, outputs, what)
    if way == "deleted":
        return
    again = trial.command.run(*job.into(target))
    trial.expect_end(again, [0, 2], what + "once more, it")
    published = outputs[-1:] if again.code == 0 else outputs
    code = 0 if 0 in (ended.code, again.code) else 2
    _judge(trial, code, target, published, what + "once more, ")
    if job.verb == "apply":
        trial.expect(again.code == 2, what + "masks of other weights were applied")


def _choose(trial: Trial, shards: Shards) -> str:
    """Choose a file to change, with a tensor that gets a mask."""
    files = [
        file for file, tensors in shards.items() if any(one.ndim == 2 for one in tensors.values())
    ]
    return str(trial.rng.choice(files))


def _output(trial: Trial, job: Job, source: Path, target: Path) -> dict[str, bytes | None]:
    """Run undisturbed, and give what that leaves."""
    command = [source if part == job.source else part for part in job.into(target)]
    trial.expect_done(*command, what="undisturbed")
    return _plain(target)


def _plain(target: Path) -> dict[str, bytes | None]:
    return {name: content for name, content in made(target).items() if name != MANIFEST}


def _judge(
    trial: Trial, code: int | None, target: Path, outputs: list[dict[str, bytes | None]], what: str
) -> None:
    """Check that one of the outputs is there, all of it; or, if refused, nothing."""
    found = _plain(target)
    if code == 0:
        trial.expect(found in outputs, what + "the output is of neither input")
    else:
        trial.expect(not found, what + "refused, and yet published")


def _change(path: Path, new: Path, way: str) -> None:
    """Put other content in the place of a file, in one of the ways that programs have."""
    times = path.stat()
    if way == "deleted":
        path.unlink()
    elif way.startswith("renamed"):
        part = path.with_name(".new")
        shutil.copyfile(new, part)
        if way.endswith("old times"):
            os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.replace(part, path)
    else:
        with path.open("wb" if way == "rewritten" else "r+b", buffering=0) as file:
            file.write(new.read_bytes())
        if way.endswith("old times"):
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
