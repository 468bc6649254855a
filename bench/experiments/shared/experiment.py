"""An experiment as a command: run or read, print tables, draw, write the page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from masksolve.errors import MasksolveError

from ...pages.command import add_options, page_of
from ...pages.findings import load, save
from ...pages.table import show
from .session import Session

__all__ = ["Experiment", "add_processes", "common", "from_one"]

ReaderT = TypeVar("ReaderT")


@dataclass(frozen=True)
class Experiment(Generic[ReaderT]):
    """What its command needs to know of an experiment.

    Attributes
    ----------
    name : str
        Of the command, and of the file of its findings.
    says : str
        What it does, in a sentence.
    sizes : mapping of str to object
        How much is run, by what `--size` calls it.
    needed : collection of str
        What a file of its findings must hold.
    measure : callable
        ``measure(size, seeds, session) -> findings``; seeds are None unless asked for.
    reader : callable
        Makes findings ready to be asked.
    fill : callable
        ``fill(page, reader, **files)`` lays it out on a page.
    files : mapping of str to (str, callable)
        Options for further files of the page: what they are, and what reads them.
    wrong : callable, optional
        ``wrong(reader)`` says what findings must not hold, if they do: the command fails then.
    """

    name: str
    says: str
    sizes: Mapping[str, Any]
    needed: Collection[str]
    measure: Callable[[Any, int | None, Session], Any]
    reader: Callable[[Any], ReaderT]
    fill: Callable[..., None]
    files: Mapping[str, tuple[str, Callable[[Path], Any]]] = field(default_factory=dict)
    wrong: Callable[[ReaderT], str] = lambda reader: ""

    def load(self, path: Path) -> Any:
        """Read findings.

        Raises
        ------
        FileFormatError
            If the file is not there or holds something else.
        """
        return load(path, self.needed, f"make bench-{self.name}")

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Do what the arguments of the command ask for."""
        options = self._parser().parse_args(arguments)
        console = Console(width=190, highlight=False)
        try:
            files = {
                name: read(path)
                for name, (_, read) in self.files.items()
                if (path := getattr(options, name))
            }
            found = self.load(options.read) if options.read else self._run(options, console)
        except MasksolveError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("stopped: what was finished is kept; the same command goes on")
        page, reader = page_of(options), self.reader(found)
        self.fill(page, reader, **files)
        show(page.tables, console)
        for path in page.write():
            console.print(f"wrote {path}")
        if said := self.wrong(reader):
            sys.exit(f"error: {said}")

    def _run(self, options: argparse.Namespace, console: Console) -> Any:
        session = Session(options.processes, options.out.with_suffix(".jsonl"), console)
        found = self.measure(self.sizes[options.size], options.seeds, session)
        save(found, options.out)
        console.print(f"wrote {options.out}")
        return found

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=f"python -m bench.experiments {self.name}", description=self.says
        )
        parser.add_argument("--size", choices=self.sizes, default="full")
        parser.add_argument("--seeds", type=from_one, help="default: the size's own")
        add_processes(parser)
        add_options(parser, f"{self.name}.json")
        for name, (says, _) in self.files.items():
            parser.add_argument(f"--{name}", type=Path, help=says)
        return parser


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Add the option for how many processes share the work."""
    parser.add_argument("--processes", type=from_one, default=min(2, os.cpu_count() or 1))


def from_one(text: str) -> int:
    """Read a number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, got {number}")
    return number


def common(size: Any) -> dict[str, Any]:
    """Return what runs of one file must have in common: all of a size but its number of seeds."""
    return {name: value for name, value in asdict(size).items() if name != "seeds"}
