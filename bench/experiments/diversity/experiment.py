"""The command: measure or read, print tables, draw."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from masksolve.errors import FileFormatError

from ...pages.findings import OUTPUT, load
from ...pages.table import show
from ..shared.experiment import add_processes, from_one
from ..shared.session import Session
from .constraints import CONSTRAINTS
from .findings import Findings
from .measure import measure
from .picture import draw
from .tables import tables

__all__ = ["main"]

SEEDS = 256


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure or read, print, write and draw."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.experiments diversity",
        description="Hold the diversity of patterns against the quality of their masks.",
    )
    parser.add_argument("--seeds", type=from_one, default=SEEDS)
    add_processes(parser)
    parser.add_argument("--read", type=Path, help="figures of an earlier run")
    parser.add_argument("--out", type=Path, default=OUTPUT / "diversity.json")
    parser.add_argument("--picture", type=Path, help="default: beside the figures")
    options = parser.parse_args(arguments)
    console = Console(width=150, highlight=False)
    found: Findings
    if options.read:
        try:
            found = load(options.read, Findings.__required_keys__, "make bench-diversity")
        except FileFormatError as error:
            sys.exit(f"error: {error}")
    else:
        session = Session(options.processes, options.out.with_suffix(".jsonl"), console)
        found = measure(CONSTRAINTS, options.seeds, session)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found) + "\n")
        console.print(f"wrote {options.out}")
    show(tables(found), console)
    picture = options.picture or (options.read or options.out).with_suffix(".png")
    draw(found, picture)
    console.print(f"drew {picture}")
