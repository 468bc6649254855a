"""The command: train or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from masksolve.errors import MasksolveError

from . import cost
from .findings import Reader
from .page import write_page
from .records import Findings, load, save
from .tables import everything

__all__ = ["main"]

OUT = Path("bench-output", "training.json")
SIZES = ("smoke", "quick", "full")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or read, print, write and draw."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.sparse_training",
        description="Train with masks of every kind, and see what exactness and frequency buy.",
    )
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument(
        "--seeds", type=_from_one, help="of every task; default: the size's own"
    )
    parser.add_argument("--processes", type=_from_one, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--out", type=Path, default=OUT, help=f"figures; default: {OUT}")
    parser.add_argument("--read", type=Path, help="lay out the figures of an earlier run")
    parser.add_argument("--page", type=Path, help="default: beside the figures, as .md")
    parser.add_argument("--pictures", type=Path, help="their folder; default: the page's")
    parser.add_argument("--step", type=Path, help="figures of step_cost, for the page")
    options = parser.parse_args(arguments)
    console = Console(width=190, highlight=False)
    try:
        step = cost.read(options.step) if options.step else None
        found = load(options.read) if options.read else _train(options, console)
    except MasksolveError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: what was finished is kept; the same command goes on")
    for table in everything(Reader(found)):
        console.print(table.title, table.rich(), sep="\n")
    page = options.page or (options.read or options.out).with_suffix(".md")
    for path in write_page(found, page, options.pictures, step):
        console.print(f"wrote {path}")


def _train(options: argparse.Namespace, console: Console) -> Findings:
    # torch: not for those who read an earlier file
    from .experiment import experiment
    from .sizes import SIZES

    size = SIZES[options.size]
    if options.seeds:
        size = size.of_seeds(options.seeds)
    kept = options.out.with_suffix(".jsonl")
    found = experiment(size, options.processes, kept, console)
    save(found, options.out)
    console.print(f"wrote {options.out}")
    return found


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, got {number}")
    return number


if __name__ == "__main__":
    main()
