"""Jobs, in this process or in some of their own, each of one thread, with a progress bar."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

__all__ = ["Job", "RunAll", "bars", "workers"]

Job: TypeAlias = tuple[Any, ...]
RunAll: TypeAlias = Callable[[Callable[..., Any], Iterable[Job]], Iterator[Any]]


def bars(console: Console) -> Progress:
    """Make progress bars that count."""
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, speed_estimate_period=300)


@contextmanager
def workers(processes: int) -> Iterator[RunAll]:
    """Give what calls a function with each job's arguments, and yields results as they come.

    One process is this one. An error says in a note which job it was.
    """
    if processes == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield lambda function, jobs: (_call(function, job) for job in jobs)
        finally:
            torch.set_num_threads(threads)
        return
    spawned = multiprocessing.get_context("spawn")  # forks and threads do not mix
    pool = ProcessPoolExecutor(processes, spawned, _settle)
    # To be ended is to be interrupted: or the processes would go on by themselves.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield lambda function, jobs: (
            done.result()
            for done in as_completed([pool.submit(_call, function, job) for job in jobs])
        )
    finally:
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGTERM, before)


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the parent
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)


def _call(function: Callable[..., Any], job: Job) -> Any:
    try:
        return function(*job)
    except Exception as error:
        error.add_note("in the run " + " / ".join(map(_named, job)))
        raise


def _named(argument: Any) -> str:
    for name in ("label", "name"):
        if isinstance(found := getattr(argument, name, None), str):
            return found
    return str(argument)
