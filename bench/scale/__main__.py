"""Checkpoints beyond memory: `make bench-scale`.

A sharded bfloat16 checkpoint is made on the spot and solved by ``masksolve solve``: masks
alone and masked weights. Its rate is set against the engine's on arrays in memory and the
disk's. Then the command is killed with SIGKILL at random moments and started again until it
ends, and its files are compared byte by byte with those of the undisturbed run. Last come one
and two Dask workers, and two of which one is killed. All that was made is deleted; figures
stay in bench-output/scale.json.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import random
import tempfile
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from ..machine import machine, versions
from .model import make_checkpoint
from .processes import Ran, run
from .rates import copy_rate, engine_rate, forget, read_rate

FOLDER = Path("bench-output")
PATTERN = "4:8"
HEAVY = "16:32"
"""Which takes the engine several times as long, so that less depends on the disk."""
ROUNDS = 5
KINDS: dict[str, tuple[str, ...]] = {"masks": (), "masked weights": ("--apply",)}
console = Console(width=110, highlight=False)


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
    return found[ROUNDS // 2] | {
        key: [row[name] for row in found]
        for key, name in (("shares", "share"), ("shares_of_both", "share_of_both"))
    }


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
            ran = solve(
                source,
                target,
                *options,
                kill_after=rng.uniform(0.1, 0.6 if moments else 0.9) * row["seconds"],
            )
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
        ran = solve(
            source,
            target,
            "--memory",
            memory,
            "--workers",
            str(workers),
            "--threads",
            "1",
            pattern=pattern,
            watch=partial(_kill_one, victims, middle) if kill else None,
        )
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
    return found


def _kill_one(victims: list[int], moment: float, process: psutil.Process, at: float) -> None:
    """Kill the largest child, which is a worker, once."""
    if at < moment or victims:
        return
    children = process.children(recursive=True)
    worker = max(children, key=lambda child: child.memory_info().rss)
    victims.append(worker.pid)
    worker.kill()


def show(title: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Print a table; columns by key, with the form of their values."""
    table = Table(title=title, title_justify="left")
    for k, key in enumerate(columns):
        table.add_column(key.replace("_", " "), justify="right" if k else "left")
    for row in rows:
        table.add_row(*(form.format(row[key]) for key, form in columns.items()))
    console.print(table)


def main() -> None:
    """Make, measure, kill, compare, delete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=6.0, help="of the checkpoint")
    parser.add_argument("--memory", default="1GB", help="what the command may take")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="when it is killed")
    parser.add_argument("--folder", help="to work in; default: that for temporary files")
    parser.add_argument("--no-workers", action="store_true", help="leave out Dask")
    options = parser.parse_args()
    found: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(["masksolve", "numpy", "numba", "distributed"]),
        "options": vars(options) | {"pattern": PATTERN, "folder": None},
    }
    with tempfile.TemporaryDirectory(prefix="masksolve-scale-", dir=options.folder) as name:
        folder = Path(name)
        source = folder / "model"
        nbytes = make_checkpoint(source, int(options.gigabytes * 1e9))
        found["bytes"] = nbytes
        found["runs"] = undisturbed(source, folder, nbytes, options.memory)
        masks, masked = found["runs"]
        rates = found["rates"] = {
            "engine": masks["engine_rate"],
            "read": masks["disk_rate"],
            "copy": masked["disk_rate"],
        }
        console.print(
            f"{nbytes / 1e9:.2f} GB; "
            + ", ".join(f"{key} {rate / 1e6:.0f} MB/s" for key, rate in rates.items())
        )
        for row in found["runs"]:
            row |= {"MB/s": row["rate"] / 1e6, "peak_MB": row["peak_memory"] / 1e6}
        show(
            f"{PATTERN}, one process",
            found["runs"],
            {
                "what": "{}",
                "seconds": "{:.1f}",
                "MB/s": "{:.0f}",
                "share": "{:.0%}",
                "share_with_start": "{:.0%}",
                "share_of_both": "{:.0%}",
                "peak_MB": "{:.0f}",
                "status": "{}",
            },
        )
        found["kills"] = killed(
            source, folder, found["runs"], options.kills, options.memory, options.seed
        )
        for row in found["kills"]:
            row["moments"] = ", ".join(f"{moment:.1f} s" for moment in row["killed_after"])
        show(
            "killed and resumed",
            found["kills"],
            {
                "what": "{}",
                "moments": "{}",
                "last_seconds": "{:.1f}",
                "seconds_in_all": "{:.1f}",
                "identical": "{}",
            },
        )
        if not options.no_workers:
            found["workers"] = [
                row
                for pattern in (PATTERN, HEAVY)
                for row in crews(source, folder, nbytes, options.memory, pattern)
            ]
            for row in found["workers"]:
                row |= {"MB/s": row["rate"] / 1e6, "peak_MB": row["peak_memory"] / 1e6}
            show(
                "Dask workers of one thread each, masks",
                found["workers"],
                {
                    "what": "{}",
                    "pattern": "{}",
                    "seconds": "{:.1f}",
                    "MB/s": "{:.0f}",
                    "times": "{:.2f}",
                    "peak_MB": "{:.0f}",
                    "killed": "{}",
                    "identical": "{}",
                },
            )
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "scale.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    console.print(f"wrote {path}")


if __name__ == "__main__":
    main()
