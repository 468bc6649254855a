"""Progress over bytes, with a rate and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from masksolve.threads import Progress, reporting

__all__ = ["reporting_bytes"]


@contextmanager
def reporting_bytes(
    progress: Progress, total: int, done: int
) -> Iterator[Callable[[int, str], None]]:
    """Give a function that takes how many of `total` bytes are done, and the tensor at work.

    Parameters
    ----------
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).
    total : int
    done : int
        Bytes that an earlier run has done: they do not count for the rate.
    """
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
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda done, name: bar.update(task, completed=done, description=name)
