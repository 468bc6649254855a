"""Damaged caches of compiled kernels: right results, and one line of warning at most."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from numba.core.caching import _CacheLocator  # where numba itself would look

import masksolve.kernels

from .damage import spoil
from .jobs import Job, draw_job
from .models import contents
from .trial import Trial

__all__ = ["caches"]

WAYS = ("files", "files", "files", "no folder", "full disk", "unwritable")
SMALL = 200_000
"""Bytes that a file of kernels may not grow to where the disk is full: most are larger."""

COMPILED = 600.0
"""Seconds for a command that compiles all that it needs anew."""


def caches(trial: Trial) -> None:
    """Give a process a cache that is damaged, has no room, or is none."""
    rng = trial.rng
    way = str(rng.choice(WAYS))
    if way == "unwritable" and os.geteuid() == 0:
        trial.passed_over.append("an unwritable cache: root may write anywhere")
        return
    job = draw_job(trial)
    trial.expect_done(*job.into(trial.folder / "whole"), what="undisturbed")
    cache = trial.folder / "cache"
    if way == "no folder":
        cache.write_bytes(b"a file in the way")
    else:
        _copy(cache)
    said, limit = f"cache: {way}", None
    files = sorted(cache.rglob("*.nb?"))
    if way == "files":
        count = int(rng.choice([1, 1 + len(files) // 4, len(files)]))
        for k in rng.choice(len(files), size=count, replace=False):
            _spoil(trial, files[k])
        said += f", {count} of {len(files)}"
    elif way == "full disk":
        limit = SMALL
        for k in rng.choice(len(files), size=1 + len(files) // 8, replace=False):
            files[k].unlink()
    elif way == "unwritable":
        for path in files:
            path.unlink()
        os.chmod(cache, 0o500)
    _judge(trial, job, cache, limit, said)


def _copy(cache: Path) -> None:
    """Copy the kernels of this installation to where numba looks for them in that folder."""
    source = Path(masksolve.kernels.__file__).parent
    find: Any = _CacheLocator.get_suitable_cache_subpath
    target = cache / find(str(source / "jit.py"))
    shutil.copytree(source / "__pycache__", target, ignore=shutil.ignore_patterns("*.pyc"))


def _spoil(trial: Trial, path: Path) -> None:
    """Damage a file, or empty it."""
    if trial.rng.random() < 0.2:
        path.write_bytes(b"")
    else:
        spoil(trial.rng, path)


def _judge(trial: Trial, job: Job, cache: Path, limit: int | None, said: str) -> None:
    target = trial.folder / "out"
    running = trial.command.start_fresh(*job.into(target), limit=limit, NUMBA_CACHE_DIR=str(cache))
    ended = running.wait(COMPILED)
    if trial.expect_end(ended, [0], said):
        named = not ended.said or str(cache) in ended.said
        trial.expect(named, f"{said}: {ended.said!r} does not name the folder")
        fine = contents(target) == contents(trial.folder / "whole")
        trial.expect(fine, f"{said}: other bytes")
