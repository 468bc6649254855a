"""The experiment: networks first, then every sampler on each, in processes of one thread."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from .networks import Residual
from .records import Findings, Kept
from .run import prune, trained
from .sizes import SAMPLERS, Size

__all__ = ["experiment"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")

RunAll = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterable[Any]]


def experiment(
    size: Size, seeds: int, processes: int, path: Path, console: Console
) -> Findings:
    """Run what is not finished yet.

    Parameters
    ----------
    size : Size
    seeds : int
    processes : int
    path : Path
        Where finished runs are kept; trained networks lie beside it, in a folder.
    console : Console
        For the progress.

    Raises
    ------
    InvalidInput
        If the file holds runs of other settings.
    """
    settings = size.settings()
    kept = Kept.open(path, settings)
    folder = path.with_suffix("")
    wanted = [(seed, sampler) for seed in range(seeds) for sampler in SAMPLERS]
    there = {(run["seed"], run["sampler"]) for run in kept.runs}
    left = [job for job in wanted if job not in there]
    missing = sorted({seed for seed, _ in left})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with (
        Progress(*columns, console=console, speed_estimate_period=300) as progress,
        _workers(processes) as run_all,
    ):
        bar = progress.add_task("training", total=len(missing))
        for _ in run_all(trained, [(folder, size, seed) for seed in missing]):
            progress.advance(bar)
        done = len(wanted) - len(left)
        bar = progress.add_task("pruning ", total=len(wanted), completed=done)
        for run in run_all(prune, [(folder, size, name, seed) for seed, name in left]):
            kept.add(run)
            progress.advance(bar)
    found = {(run["seed"], run["sampler"]): run for run in kept.runs}
    return {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "settings": settings,
        "seeds": seeds,
        "parameters": sum(p.numel() for p in Residual(size.width).parameters()),
        "runs": [found[job] for job in wanted],
    }


@contextmanager
def _workers(processes: int) -> Iterator[RunAll]:
    """Give what runs jobs, in any order: here if one process is enough, else in others."""
    if processes == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield lambda function, jobs: (function(*job) for job in jobs)
        torch.set_num_threads(threads)
        return
    spawned = multiprocessing.get_context("spawn")  # forks and threads do not mix
    pool = ProcessPoolExecutor(processes, spawned, _settle)
    try:
        yield lambda function, jobs: (
            done.result()
            for done in as_completed([pool.submit(function, *job) for job in jobs])
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the parent
    torch.set_num_threads(1)
