"""The experiment: every task, arm and seed once, in processes of one thread each."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from ..machine import machine, versions
from .arms import Arm
from .kept import Kept
from .records import Findings, Run
from .run import train
from .sizes import Size
from .tasks import Task

__all__ = ["experiment"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")

Job = tuple[Task, Arm, int]
RunAll = Callable[[Iterable[Job]], Iterable[Run]]


def experiment(size: Size, processes: int, path: Path, console: Console) -> Findings:
    """Run what is not finished yet.

    Parameters
    ----------
    size : Size
    processes : int
    path : Path
        Where finished runs are kept; those that it holds are not run again.
    console : Console
        For the progress.

    Raises
    ------
    InvalidInput
        If the file holds runs of other settings.
    """
    kept = Kept.open(path, size)
    wanted = _jobs(size)
    there = {(run["task"], run["arm"], run["seed"]) for run in kept.runs}
    left = [job for job in wanted if _key(job) not in there]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with (
        Progress(*columns, console=console, speed_estimate_period=300) as progress,
        _workers(processes) as run_all,
    ):
        done = len(wanted) - len(left)
        bar = progress.add_task("training", total=len(wanted), completed=done)
        for run in run_all(left):
            kept.add(run)
            progress.advance(bar)
    found = {(run["task"], run["arm"], run["seed"]): run for run in kept.runs}
    return {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "size": size.name,
        "tasks": [task.to_dict() for task in size.tasks],
        "runs": [found[_key(job)] for job in wanted],
    }


def _jobs(size: Size) -> list[Job]:
    """List all runs, seed by seed: after an interruption all arms stand alike."""
    return [
        (task, arm, seed)
        for seed in range(max(task.seeds for task in size.tasks))
        for task in reversed(size.tasks)  # the longest first: less waiting at the end
        for arm in size.arms
        if seed < task.seeds
    ]


def _key(job: Job) -> tuple[str, str, int]:
    task, arm, seed = job
    return task.name, arm.label, seed


@contextmanager
def _workers(processes: int) -> Iterator[RunAll]:
    """Give what runs jobs, in any order: here if one process is enough, else in others."""
    if processes == 1:
        threads = torch.get_num_threads()
        _settle()
        yield lambda jobs: map(_work, jobs)
        torch.set_num_threads(threads)
        return
    spawned = multiprocessing.get_context("spawn")  # forks and threads do not mix
    pool = ProcessPoolExecutor(processes, spawned, _settle_alone)
    # To be ended is to be interrupted: or the processes would go on by themselves.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield lambda jobs: (
            done.result() for done in as_completed([pool.submit(_work, job) for job in jobs])
        )
    finally:
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGTERM, before)


def _settle_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the parent
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _settle()


def _settle() -> None:
    torch.set_num_threads(1)


def _work(job: Job) -> Run:
    try:
        return train(*job)
    except Exception as error:
        error.add_note("in the run " + " / ".join(map(str, _key(job))))
        raise
