"""What the commands share: options, the choice of tensors, tables, progress."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from masksolve.errors import InvalidInput
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = [
    "Bar",
    "about",
    "check_names",
    "choose",
    "matches",
    "print_json",
    "print_table",
    "progress_bar",
    "share",
    "tensor_options",
]


def tensor_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which tensors, and how they lie."""
    parser.add_argument(
        "--tensors", nargs="+", metavar="NAME",
        help="names or patterns like 'encoder.*.weight'; default: every 2-D float tensor",
    )  # fmt: skip
    parser.add_argument(
        "--exclude",
        nargs="+",
        metavar="NAME",
        default=[],
        help="names or patterns to leave out",
    )
    parser.add_argument(
        "--axes", type=_axes, metavar="OUT,IN",
        help="the two axes of the matrix, for tensors with more than two dimensions "
        "(a PyTorch convolution: 0,1; from the end: --axes=-2,-1)",
    )  # fmt: skip
    parser.add_argument("--threads", type=_threads, metavar="N", help="default: every core")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _threads(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _axes(text: str) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 0,1") from None
    return first, second


def matches(name: str, options: argparse.Namespace) -> bool:
    """Tell whether --tensors and --exclude choose the name."""
    return _matches_any(name, options.tensors or ["*"]) and not _matches_any(
        name, options.exclude
    )


def _matches_any(name: str, patterns: Sequence[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def check_names(file: TensorFile, names: Iterable[str], options: argparse.Namespace) -> None:
    """Make sure that each name or pattern that was given means something."""
    known = list(names)
    for pattern in options.tensors or []:
        if not any(_matches_any(name, [pattern]) for name in known):
            raise InvalidInput(
                f"{file.path} holds no tensor {pattern!r}; it holds {_some(known)}"
            )


def _some(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:3] + ["..."] * (len(known) > 3)) or "nothing"


def choose(
    file: TensorFile, options: argparse.Namespace, *, integers: bool = False
) -> dict[str, tuple[int, int]]:
    """Choose the tensors to work on, and say which axes are each one's matrix.

    Patterns choose among float tensors of at least two dimensions (`integers`: of any
    dtype); a name in full chooses any tensor. By default it is every 2-D one, with
    --axes every one of more dimensions too.
    """
    check_names(file, file.tensors, options)
    axes: tuple[int, int] | None = options.axes
    named = options.tensors or []
    chosen = {}
    for name, spec in file.tensors.items():
        fit = (spec.floating or integers) and len(spec.shape) >= 2
        if not (named or axes):
            fit = fit and len(spec.shape) == 2
        if matches(name, options) and (fit or name in named):
            chosen[name] = axes or _default_axes(file, spec)
    if not chosen:
        kind = "" if integers else "float "
        asked = f" among {' '.join(named)}" if named else ""
        some = _some(file.tensors)
        raise InvalidInput(
            f"{file.path} holds no {kind}tensor to solve{asked}; it holds {some}"
        )
    return chosen


def _default_axes(file: TensorFile, spec: TensorSpec) -> tuple[int, int]:
    if len(spec.shape) > 2:
        raise InvalidInput(
            f"{file.path}: tensor {spec.name!r} has {len(spec.shape)} dimensions: say which "
            "two are the matrix, --axes 0,1 for a PyTorch convolution, or --exclude it"
        )
    return (-2, -1)


@contextmanager
def about(file: TensorFile, name: str) -> Iterator[None]:
    """Put the file's and the tensor's name before the message of an error."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{file.path}: tensor {name!r}: {error}") from None


class Bar:
    """A progress bar over entries, fed by the tiles of one tensor after the other."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total)

    @contextmanager
    def tensor(self, name: str, shape: Sequence[int]) -> Iterator[Any]:
        """Name the tensor at work; the block gets a function for ``progress=``."""
        self._bar.update(self._task, description=name)
        start, size = self._bar.tasks[self._task].completed, prod(shape)

        def report(done: int, total: int) -> None:
            self._bar.update(self._task, completed=start + size * done / total)

        yield report
        self._bar.update(self._task, completed=start + size)


@contextmanager
def progress_bar(specs: Sequence[TensorSpec]) -> Iterator[Bar]:
    """Show a bar on stderr while the block runs, if that is a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield Bar(bar, sum(prod(spec.shape) for spec in specs))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout; the first column is text, the others are right-aligned."""
    table = Table()
    for k, column in enumerate(columns):
        table.add_column(column, justify="right" if k else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # names are no markup
    # rich leaves the process when a pipe breaks, so it draws and we print. In a pipe
    # there is no width to keep to.
    terminal = sys.stdout.isatty()
    drawn = io.StringIO()
    console = Console(
        file=drawn, force_terminal=terminal, width=None if terminal else 200, highlight=False
    )
    console.print(table)
    print(title)
    print(drawn.getvalue(), end="")


def print_json(content: Any) -> None:
    """Print JSON to stdout."""
    print(json.dumps(content, indent=2))


def share(part: float, whole: float) -> str:
    """Write a share of the whole as a percentage."""
    return f"{100 * part / whole:.4g} %" if whole else "-"
