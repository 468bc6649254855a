"""The command: measure or read, print tables, draw."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from .constraints import CONSTRAINTS
from .findings import Findings
from .picture import draw
from .tables import tables

__all__ = ["main"]

SEEDS = 256
FOLDER = Path("bench-output")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure or read, print, write and draw."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.diversity",
        description="Hold the diversity of patterns against the quality of their masks.",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--read", type=Path, help="figures of an earlier run")
    parser.add_argument("--out", type=Path, default=FOLDER / "diversity.json")
    parser.add_argument("--picture", type=Path, help="default: beside the figures")
    options = parser.parse_args(arguments)
    console = Console(width=150, highlight=False)
    if options.read:
        found: Findings = json.loads(options.read.read_text())
    else:
        from .experiment import experiment  # torch: not for those who read an earlier file

        found = experiment(CONSTRAINTS, options.seeds, options.processes, console)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found) + "\n")
        console.print(f"wrote {options.out}")
    for title, table in tables(found):
        console.print(title, table, sep="\n")
    picture = options.picture or (options.read or options.out).with_suffix(".png")
    draw(found, picture)
    console.print(f"drew {picture}")


if __name__ == "__main__":
    main()
