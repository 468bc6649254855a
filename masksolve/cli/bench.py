"""``masksolve bench``: the comparison suite, its report, and two results side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from masksolve.cli.common import print_json, print_table
from masksolve.errors import FileFormatError, InvalidInput

__all__ = ["add_commands"]

FOLDER = Path("bench-output")
RESULTS = "results.json"


def add_commands(commands: Any) -> None:
    """Add ``bench`` and what belongs to it."""
    parser = commands.add_parser(
        "bench",
        help="compare every method and rival, or a solver of your own",
        description="Compare every method and rival, and solvers of your own, on the same "
        "data: time, memory, loss against the proven optimum. Writes the results and a "
        "report with pictures.",
    )
    parser.add_argument(
        "--size",
        choices=("smoke", "quick", "full"),
        default="quick",
        help="how much to measure: half a minute to see that a solver runs, some minutes, "
        "or hours; default: quick",
    )
    parser.add_argument(
        "--solver",
        action="append",
        type=Path,
        default=[],
        metavar="FILE.py",
        help="a Python file with a @contestant function (may be given again)",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this contestant, beside exact and the solvers of your files (may be given "
        "again; names of yours leave out your others); default: all",
    )
    _out(parser, "where results and report go", FOLDER)
    parser.set_defaults(run=_run)
    parts = parser.add_subparsers(metavar="report | compare")

    report = parts.add_parser("report", help="turn a result file into pages and pictures")
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    _out(report, "where the pages go")
    report.set_defaults(run=_report)

    compare = parts.add_parser("compare", help="put two result files side by side")
    compare.add_argument("before", type=Path, metavar="BEFORE.json")
    compare.add_argument("after", type=Path, metavar="AFTER.json")
    compare.add_argument(
        "--all", action="store_true", help="also what did not change by more than the noise"
    )
    compare.add_argument("--json", action="store_true", help="print JSON instead of a table")
    compare.set_defaults(run=_compare)


def _out(parser: argparse.ArgumentParser, text: str, default: Any = argparse.SUPPRESS) -> None:
    """Add --out; a part of the command has no default, so as to keep what stands before it."""
    parser.add_argument(
        "--out", type=Path, default=default, metavar="FOLDER", help=f"{text}; default: {FOLDER}"
    )


@contextmanager
def _needs() -> Iterator[None]:
    """Say which package is not installed, and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"masksolve bench needs {error.name}: pip install 'masksolve[bench]'"
        ) from None


def _run(options: argparse.Namespace) -> int:
    with _needs():
        from masksolve.bench.report import write_report
        from masksolve.bench.results import save_results
        from masksolve.bench.settings import SIZES
        from masksolve.bench.suite import run
    _make(options.out)
    with _progress() as progress:
        results = run(SIZES[options.size], options.solver, options.only, progress)
    save_results(results, options.out / RESULTS)
    print(f"wrote {options.out / RESULTS}")
    return _write(write_report, results, options.out)


def _report(options: argparse.Namespace) -> int:
    with _needs():
        from masksolve.bench.report import write_report
        from masksolve.bench.results import load_results, save_results
    results = load_results(options.results)
    _make(options.out)
    save_results(results, options.out / RESULTS)  # the page's numbers, beside the page
    return _write(write_report, results, options.out)


def _write(write_report: Any, results: Any, folder: Path) -> int:
    for path in write_report(results, folder):
        print(f"wrote {path}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    with _needs():
        from masksolve.bench.compare import compare, differences
        from masksolve.bench.results import load_results
    pair = load_results(options.before), load_results(options.after)
    changes = compare(*pair)
    for difference in differences(*pair):
        print(f"masksolve: {difference}", file=sys.stderr)
    if not changes:
        print("the two files have no figure in common", file=sys.stderr)
    shown = [change for change in changes if options.all or change.clear]
    if options.json:
        print_json([change._asdict() for change in shown])
        return 0
    if not changes:
        return 0
    title = f"{len(shown)} of {len(changes)} figures that both files hold"
    print_table(
        title if options.all else title + " moved by more than the noise",
        ("figure", "before", "after", "ratio"),
        [
            (
                f"{c.section}: {c.what}",
                f"{c.before:.3g} {c.unit}",
                f"{c.after:.3g} {c.unit}",
                f"{c.after / c.before:.2f}" if c.before else "-",
            )
            for c in shown
        ],
    )
    return 0


def _make(folder: Path) -> None:
    """Make the folder, and see that it can be written to: before hours of work, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FileFormatError(f"cannot write to {folder}: {error.strerror or error}") from None


@contextmanager
def _progress() -> Iterator[Any]:
    """Show a bar a section on a terminal, and one line a section elsewhere."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description:<30}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        current: dict[str, Any] = {}

        def report(section: str, share: float, what: str) -> None:
            if section not in current:
                for task in current.values():
                    bar.update(task, completed=1.0, what="")
                    bar.stop_task(task)
                current[section] = bar.add_task(section, total=1.0, what="")
                if not console.is_terminal:
                    print(section, file=sys.stderr, flush=True)
            bar.update(current[section], completed=share, what=what)

        yield report
        for task in current.values():
            bar.update(task, completed=1.0, what="")
