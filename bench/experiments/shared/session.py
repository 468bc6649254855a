"""How an experiment is run: its jobs with a progress bar, finished runs kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...machine import machine, versions
from .jobs import Job, workers
from .kept import Kept

__all__ = ["Session"]

RunT = TypeVar("RunT")


@dataclass(frozen=True)
class Session:
    """How an experiment is run.

    Attributes
    ----------
    processes : int
    kept : Path
        Where finished runs are kept; those that it holds are not done again.
    console : Console
        For the progress.
    """

    processes: int
    kept: Path
    console: Console

    def open(self, settings: Any) -> Kept[Any]:
        """Open the file of finished runs; see `Kept.open`."""
        return Kept.open(self.kept, settings)

    def each(
        self, function: Callable[..., Any], jobs: Sequence[Job], what: str, done: int = 0
    ) -> Iterator[Any]:
        """Call a function with each job's arguments, and yield results as they come.

        Parameters
        ----------
        function : callable
        jobs : sequence of Job
        what : str
            Name of the progress,
        done : int
            of which so much was done before.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        progress = Progress(*columns, console=self.console, speed_estimate_period=300)
        with progress, workers(self.processes) as run_all:
            bar = progress.add_task(what, total=done + len(jobs), completed=done)
            for found in run_all(function, jobs):
                yield found
                progress.advance(bar)

    def finish(
        self,
        function: Callable[..., RunT],
        jobs: Mapping[Any, Job],
        settings: Any,
        key: Callable[[RunT], Hashable],
        what: str = "training",
    ) -> list[RunT]:
        """Do the jobs whose runs are not kept yet, and keep them.

        Parameters
        ----------
        function : callable
            Takes a job's arguments and returns its run.
        jobs : mapping of key to Job
        settings : anything that JSON can hold
            What all runs of a file have in common.
        key : callable
            Tells whose run it is.
        what : str
            Name of the progress.

        Returns
        -------
        list
            The runs of all jobs, in their order.

        Raises
        ------
        InvalidInput
            If the file holds runs of other settings.
        """
        kept = self.open(settings)
        there = {key(run) for run in kept.runs}
        left = [job for name, job in jobs.items() if name not in there]
        for run in self.each(function, left, what, len(jobs) - len(left)):
            kept.add(run)
        found = {key(run): run for run in kept.runs}
        return [found[name] for name in jobs]

    @staticmethod
    def found(packages: Iterable[str], **found: Any) -> Any:
        """Return findings, and before them the machine and the packages' versions."""
        return {"machine": machine(), "versions": versions(packages), **found}
