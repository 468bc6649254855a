"""The command: train or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..experiments.command import carry_out, parser
from .findings import Reader
from .page import write_page
from .records import Findings, load
from .tables import everything

__all__ = ["main"]

SIZES = ("smoke", "full")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or read, print, write and draw."""
    says = "Train with thresholds over a sweep of alpha, and see what is left."
    carry_out(
        parser("dst", says, SIZES, "dst.json").parse_args(arguments),
        read=load,
        run=_run,
        tables=lambda found: everything(Reader(found)),
        write_page=write_page,
    )


def _run(options: argparse.Namespace, kept: Path, console: Console) -> Findings:
    # torch: not for those who read an earlier file
    from .experiment import experiment
    from .sizes import SIZES

    size = SIZES[options.size]
    return experiment(size, options.seeds or size.seeds, options.processes, kept, console)


if __name__ == "__main__":
    main()
