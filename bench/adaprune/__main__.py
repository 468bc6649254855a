"""The command: prune and compare or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..experiments.command import carry_out, parser
from .findings import Reader
from .page import write_page
from .records import Findings, load
from .sizes import SIZES
from .tables import everything

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or read, print, write and draw."""
    says = "Prune a sentence encoder in several ways, and compare its embeddings."
    carry_out(
        parser("adaprune", says, tuple(SIZES), "adaprune.json").parse_args(arguments),
        read=load,
        run=_run,
        tables=lambda found: everything(Reader(found)),
        write_page=write_page,
    )


def _run(options: argparse.Namespace, kept: Path, console: Console) -> Findings:
    from .experiment import experiment  # torch: not for those who read an earlier file

    size = SIZES[options.size]
    return experiment(size, options.seeds or size.seeds, options.processes, kept, console)


if __name__ == "__main__":
    main()
