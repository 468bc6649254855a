"""What renewing masks costs a step of training: `make bench-step`.

A character-level transformer of width 512, 4 blocks, learns by AdamW from batches of 8 x 128
characters: dense, and with exact transposable masks that are never renewed, renewed every 40
steps, and at every step. All loops take turns, step by step, so that what disturbs one
disturbs all, and every step is set against the dense one of its round. Beside them the solvers
that papers use renew the masks of the same weights: the 2-approximation as published, and
OR-Tools. Prints tables and leaves all figures in bench-output/step.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from masksolve.errors import FileFormatError

from ..pages.findings import OUTPUT
from ..pages.table import show
from .loops import SELDOM, measure
from .tables import Cost, loops, read, rivals, where_it_goes

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Time, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.step_cost",
        description="Time a training step with masks that are renewed, against a dense one.",
    )
    parser.add_argument("--rounds", type=int, default=2 * SELDOM, help="steps of every loop")
    parser.add_argument("--rival-renewals", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUTPUT / "step.json")
    parser.add_argument("--read", type=Path, help="print the figures of an earlier run")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.rival_renewals) < 1:
        parser.error("expected at least one round and one renewal")
    console = Console(width=130, highlight=False)
    if options.read:
        try:
            _print(read(options.read), console)
        except FileFormatError as error:
            sys.exit(f"error: {error}")
        return
    found = measure(options.rounds, options.rival_renewals, console)
    _print(found, console)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {options.out}")


def _print(found: Cost, console: Console) -> None:
    show((loops(found), rivals(found)), console)
    console.print(where_it_goes(found))


if __name__ == "__main__":
    main()
