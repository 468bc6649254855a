"""Progress over bytes, with a rate and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from masksolve.checkpoints.work import Slice
from masksolve.compiling import saying_so
from masksolve.threads import Progress, reporting

__all__ = ["Meter", "metering"]


class Meter:
    """Bytes that are done, those of slices under way included.

    Parameters
    ----------
    show : callable
        Gets the bytes done, and the name of the tensor at work.
    done : int
        Bytes that are done already.
    """

    def __init__(self, show: Callable[[int, str], None], done: int) -> None:
        self._show = show
        self._done = done
        self._under_way: dict[tuple[str, int], float] = {}
        self._lock = Lock()

    def watch(self, piece: Slice, done: int, total: int) -> None:
        """Take how much of a slice is solved, from whichever thread solves it."""
        with self._lock:
            self._under_way[piece.path, piece.offset] = piece.nbytes * done / max(total, 1)
            self._tell(piece.tensor)

    def finish(self, tensor: str, piece: Slice | None, nbytes: int) -> None:
        """Take that a slice, or a tensor that is copied, is written."""
        with self._lock:
            if piece is not None:
                self._under_way.pop((piece.path, piece.offset), None)
            self._done += nbytes
            self._tell(tensor)

    def _tell(self, tensor: str) -> None:
        self._show(int(self._done + sum(self._under_way.values())), tensor)


@contextmanager
def metering(progress: Progress, total: int, done: int) -> Iterator[Meter]:
    """Show how many of `total` bytes are done.

    Parameters
    ----------
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).
    total : int
    done : int
        Bytes that an earlier run has done: they do not count for the rate.
    """
    with _showing(progress, total, done) as show:
        yield Meter(show, done)


@contextmanager
def _showing(progress: Progress, total: int, done: int) -> Iterator[Callable[[int, str], None]]:
    if progress is not True:
        with reporting(progress, total) as report:
            yield lambda done, name: report(done)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    with saying_so(), bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda done, name: bar.update(task, completed=done, description=name)
