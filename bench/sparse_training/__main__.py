"""The command: train or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from masksolve.errors import MasksolveError

from ..experiments.command import carry_out, parser
from . import cost
from .findings import Reader
from .page import write_page
from .records import Findings, load
from .tables import everything

__all__ = ["main"]

SIZES = ("smoke", "quick", "full")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or read, print, write and draw."""
    says = "Train with masks of every kind, and see what exactness and frequency buy."
    taken = parser("sparse_training", says, SIZES, "training.json")
    taken.add_argument("--step", type=Path, help="figures of step_cost, for the page")
    options = taken.parse_args(arguments)
    try:
        step = cost.read(options.step) if options.step else None
    except MasksolveError as error:
        sys.exit(f"error: {error}")
    carry_out(
        options,
        read=load,
        run=_run,
        tables=lambda found: everything(Reader(found)),
        write_page=partial(write_page, step=step),
    )


def _run(options: argparse.Namespace, kept: Path, console: Console) -> Findings:
    # torch: not for those who read an earlier file
    from .experiment import experiment
    from .sizes import SIZES

    size = SIZES[options.size]
    if options.seeds:
        size = size.of_seeds(options.seeds)
    return experiment(size, options.processes, kept, console)


if __name__ == "__main__":
    main()
