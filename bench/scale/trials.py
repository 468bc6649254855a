"""The command on a checkpoint: undisturbed, killed and resumed, and by several workers."""

from __future__ import annotations

import filecmp
import random
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import psutil

from .processes import Ran, run
from .rates import copy_rate, engine_rate, forget, read_rate

__all__ = ["PATTERN", "crews", "killed", "undisturbed"]

PATTERN = "4:8"
ROUNDS = 5
KINDS: dict[str, tuple[str, ...]] = {"masks": (), "masked weights": ("--apply",)}


def solve(
    source: Path, target: Path, *options: str, pattern: str = PATTERN, **watching: Any
) -> Ran:
    """Run the command on a checkpoint that lies on the disk."""
    forget(source)
    return run(["solve", source, target, "--pattern", pattern, *options], **watching)


def same(one: Path, other: Path) -> bool:
    """Compare two folders byte by byte, hidden files and folders included."""
    names = {path.name for path in one.iterdir()}
    if names != {path.name for path in other.iterdir()}:
        return False
    return set(filecmp.cmpfiles(one, other, names, shallow=False)[0]) == names


def undisturbed(source: Path, folder: Path, nbytes: int, memory: str) -> list[dict[str, Any]]:
    """Solve for masks and for masked weights, and leave them in the folder.

    Machines are faster and slower by the minute, most of all at memory that nothing has
    touched for a while. So every run comes right after a look at what is possible, and the
    run of the median share is the one that counts.
    """
    return [_in_the_middle(source, folder, nbytes, memory, kind) for kind in KINDS]


def _in_the_middle(
    source: Path, folder: Path, nbytes: int, memory: str, kind: str
) -> dict[str, Any]:
    options, target = KINDS[kind], folder / kind
    found = []
    for _ in range(ROUNDS):
        if target.exists():
            rmtree(target)
        engine = engine_rate(PATTERN)
        disk = copy_rate(source, folder / "copy") if options else read_rate(source)
        ran = solve(source, target, "--memory", memory, *options)
        total = ran.report["total"]
        rate = total["bytes"] / total["seconds"]
        found.append(
            {
                "what": kind,
                "seconds": ran.seconds,
                "rate": rate,
                "rate_with_start": nbytes / ran.seconds,
                "engine_rate": engine.rate,
                "disk_rate": disk.rate,
                "both_rate": engine.beside(disk),
                "share": rate / min(disk.rate, engine.rate),
                "share_with_start": nbytes / ran.seconds / min(disk.rate, engine.rate),
                "share_of_both": rate / engine.beside(disk),
                "peak_memory": ran.peak,
                "status": total["status"],
            }
        )
    found.sort(key=lambda row: row["share"])
    middle = found[ROUNDS // 2]
    shares, of_both = ([row[key] for row in found] for key in ("share", "share_of_both"))
    return middle | {"shares": shares, "shares_of_both": of_both} | _megabytes(middle)


def _megabytes(row: dict[str, Any]) -> dict[str, float]:
    return {"MB/s": row["rate"] / 1e6, "peak_MB": row["peak_memory"] / 1e6}


def killed(
    source: Path, folder: Path, kinds: list[dict[str, Any]], kills: int, memory: str, seed: int
) -> list[dict[str, Any]]:
    """Kill the command at random moments and go on until it ends; compare."""
    rng = random.Random(seed)
    found = []
    for row in kinds:
        target = folder / "killed"
        options = ("--memory", memory, *KINDS[row["what"]])
        moments: list[float] = []
        seconds = 0.0
        while len(moments) < kills:
            moment = rng.uniform(0.1, 0.6 if moments else 0.9) * row["seconds"]
            ran = solve(source, target, *options, kill_after=moment)
            seconds += ran.seconds
            if ran.code == 0:  # faster than the run before: take it back
                rmtree(target)
                moments.clear()
            else:
                moments.append(ran.seconds)
        last = solve(source, target, *options)
        found.append(
            {
                "what": row["what"],
                "killed_after": moments,
                "last_seconds": last.seconds,
                "seconds_in_all": seconds + last.seconds,
                "bytes_left_for_last": last.report["total"]["bytes"],
                "identical": same(folder / row["what"], target),
                "moments": ", ".join(f"{moment:.1f} s" for moment in moments),
            }
        )
        rmtree(target)
    return found


def crews(
    source: Path, folder: Path, nbytes: int, memory: str, pattern: str
) -> list[dict[str, Any]]:
    """One and two Dask workers, and two of which one is killed in the middle."""
    found: list[dict[str, Any]] = []
    for what, workers, kill in (
        ("one worker", 1, False),
        ("two workers", 2, False),
        ("two workers, one killed", 2, True),
    ):
        target = folder / ("crew" if found else "alone")
        victims: list[int] = []
        middle = found[-1]["seconds"] / 2 if found else 0.0
        options = ("--memory", memory, "--workers", str(workers), "--threads", "1")
        watch = partial(_kill_one, victims, middle) if kill else None
        ran = solve(source, target, *options, pattern=pattern, watch=watch)
        rate = nbytes / ran.report["total"]["seconds"]
        found.append(
            {
                "pattern": pattern,
                "what": what,
                "seconds": ran.seconds,
                "rate": rate,
                "times": rate / found[0]["rate"] if found else 1.0,
                "peak_memory": ran.peak,
                "killed": len(victims),
                "identical": same(folder / "alone", target),
            }
        )
        if target.name == "crew":
            rmtree(target)
    if pattern == PATTERN:
        found[0]["identical"] = same(folder / "masks", folder / "alone")
    rmtree(folder / "alone")
    return [row | _megabytes(row) for row in found]


def _kill_one(victims: list[int], moment: float, process: psutil.Process, at: float) -> None:
    """Kill the largest child, which is a worker, once."""
    if at < moment or victims:
        return
    children = process.children(recursive=True)
    worker = max(children, key=lambda child: child.memory_info().rss)
    victims.append(worker.pid)
    worker.kill()
