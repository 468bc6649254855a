"""An experiment's command: run or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from masksolve.errors import MasksolveError

from .findings import save
from .tables import Table

__all__ = ["carry_out", "parser"]

FOLDER = Path("bench-output")


def parser(name: str, description: str, sizes: Sequence[str], out: str) -> argparse.ArgumentParser:
    """Make the parser of ``python -m masksolve.bench.NAME``; `out` names its file."""
    made = argparse.ArgumentParser(
        prog=f"python -m masksolve.bench.{name}", description=description
    )
    made.add_argument("--size", choices=sizes, default="full")
    made.add_argument("--seeds", type=_from_one, help="default: the size's own")
    made.add_argument("--processes", type=_from_one, default=min(2, os.cpu_count() or 1))
    made.add_argument(
        "--out", type=Path, default=FOLDER / out, help="figures; default: %(default)s"
    )
    made.add_argument("--read", type=Path, help="lay out the figures of an earlier run")
    made.add_argument("--page", type=Path, help="default: beside the figures, as .md")
    made.add_argument("--pictures", type=Path, help="their folder; default: the page's")
    return made


def carry_out(
    options: argparse.Namespace,
    *,
    read: Callable[[Path], Any],
    run: Callable[[argparse.Namespace, Path, Console], Any],
    tables: Callable[[Any], Iterable[Table]],
    write_page: Callable[[Any, Path, Path | None], Iterable[Path]],
) -> None:
    """Do what the options ask for.

    Parameters
    ----------
    options : Namespace
        Of `parser`.
    read : callable
        Reads findings from a file.
    run : callable
        Does the experiment; it takes the options, the file that finished runs are kept in,
        and where to show progress.
    tables : callable
        Lays findings out.
    write_page : callable
        Writes findings as a page to a file, its pictures into a folder; gives all files.
    """
    console = Console(width=190, highlight=False)
    try:
        if options.read:
            found = read(options.read)
        else:
            found = run(options, options.out.with_suffix(".jsonl"), console)
            save(found, options.out)
            console.print(f"wrote {options.out}")
    except MasksolveError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: what was finished is kept; the same command goes on")
    for table in tables(found):
        console.print(table.title, table.rich(), sep="\n")
    page = options.page or (options.read or options.out).with_suffix(".md")
    for path in write_page(found, page, options.pictures):
        console.print(f"wrote {path}")


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, got {number}")
    return number
