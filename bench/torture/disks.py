"""Full disks: one sentence, nothing published, and on from there when there is room."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .jobs import Job, draw_job, made
from .models import contents
from .trial import Trial

__all__ = ["disks"]

KIB = 1024
ROOM = 16 << 20
"""Bytes of a disk on which there is room for anything."""


def disks(trial: Trial) -> None:
    """Let files grow to a limit only, or give a disk that is too small, or fills up."""
    job = draw_job(trial)
    whole = trial.folder / "whole"
    began = time.perf_counter()
    trial.expect_done(*job.into(whole), what="undisturbed")
    seconds = time.perf_counter() - began
    sizes = [len(content) for content in contents(whole).values() if content is not None]
    _limited(trial, job, whole, max(sizes))
    if os.geteuid() != 0:
        trial.passed_over.append("a small disk: only root may mount one")
        return
    with _disk(trial) as disk:
        if disk is not None:
            _small(trial, job, whole, disk, sum(sizes), seconds)


def _limited(trial: Trial, job: Job, whole: Path, largest: int) -> None:
    """Limit what a file may grow to."""
    target, limit = trial.folder / "limited", int(trial.rng.integers(1, largest + largest // 4))
    ended = trial.command.run(*job.into(target), limit=limit)
    trial.expect_end(ended, [0, 2], f"files of {limit} bytes at most: it")
    if ended.code == 2:
        trial.expect(not made(target), f"files of {limit} bytes at most: published though refused")
    elif limit < largest:
        trial.expect(False, f"files of {limit} bytes at most: {largest} were written")
    _go_on(trial, job, whole, target)


def _go_on(trial: Trial, job: Job, whole: Path, target: Path) -> None:
    """Give the command again, with room for all."""
    trial.expect_done(*job.into(target), what="with room, the command")
    trial.expect(contents(target) == contents(whole), "after a full disk it left other bytes")


@contextmanager
def _disk(trial: Trial) -> Iterator[Path | None]:
    """Mount a disk in memory; None where that is not allowed."""
    place = trial.folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        trial.passed_over.append("a small disk: none can be mounted")
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _resize(disk: Path, nbytes: int) -> None:
    pages = f"size={max(nbytes // KIB, 64)}k"
    subprocess.run(["mount", "-o", f"remount,{pages}", str(disk)], check=True)


def _small(trial: Trial, job: Job, whole: Path, disk: Path, nbytes: int, seconds: float) -> None:
    """Run on a disk with too little room from the start, or from some moment on."""
    target, filler = disk / "out", disk / "filler"
    fills_up = bool(trial.rng.random() < 0.5)
    if not fills_up:
        _resize(disk, int(nbytes * trial.rng.uniform(0.2, 1.3)))
    running = trial.command.start(*job.into(target))
    if fills_up:
        time.sleep(trial.rng.uniform(0.0, 0.9) * seconds)
        _fill(filler)
    ended = running.wait()
    what = "a disk that fills up" if fills_up else "a small disk"
    trial.expect_end(ended, [0, 2], f"{what}: it")
    if ended.code == 2:
        trial.expect(not made(target), f"{what}: published though refused")
    filler.unlink(missing_ok=True)
    _resize(disk, ROOM)
    _go_on(trial, job, whole, target)


def _fill(path: Path) -> None:
    """Write until there is no room."""
    piece = bytes(64 * KIB)
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(piece)
        except OSError:
            return
