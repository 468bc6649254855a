"""What the commands share: sentences, tables, progress."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from masksolve.checkpoints.names import brief
from masksolve.errors import about
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = [
    "Bar",
    "about_tensor",
    "counting_bar",
    "going_on",
    "one_line",
    "positive",
    "print_json",
    "print_table",
    "progress_bar",
    "share",
]


LONGEST = 400
"""Letters of a word, a path or a name, that a message has room for."""


def one_line(message: object) -> str:
    """Make one line of a message, and leave out the middle of endless words."""
    return " ".join(brief(word, LONGEST) for word in str(message).split())


def positive(text: str) -> int:
    """Read an option that is a positive integer."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def about_tensor(file: TensorFile, name: str) -> AbstractContextManager[None]:
    """Put the file's and the tensor's name before the message of an error."""
    return about(f"{file.path}: tensor {name!r}")


@contextmanager
def going_on(output: Path) -> Iterator[None]:
    """Say, if the block is interrupted, that the command can be given again."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command goes on with {output}") from None


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
    with _bar("{task.percentage:>3.0f}%") as bar:
        yield Bar(bar, sum(prod(spec.shape) for spec in specs))


@contextmanager
def counting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of things that are counted, with the time left; the block tells how many."""
    with _bar("{task.completed} of {task.total}") as bar:
        task = bar.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


def _bar(figures: str) -> Progress:
    """Make a bar on stderr, which shows nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(figures),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


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
