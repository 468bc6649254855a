"""The experiment: every task, arm and seed once, in processes of one thread each."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..experiments.jobs import bars, workers
from ..experiments.kept import Kept
from ..machine import machine, versions
from .arms import Arm
from .records import Findings, Run
from .run import train
from .sizes import Size
from .tasks import Task

__all__ = ["experiment"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")

Job = tuple[Task, Arm, int]


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
    kept: Kept[Run] = Kept.open(path, size.settings())
    wanted = _jobs(size)
    there = {(run["task"], run["arm"], run["seed"]) for run in kept.runs}
    left = [job for job in wanted if _key(job) not in there]
    with bars(console) as progress, workers(processes) as run_all:
        done = len(wanted) - len(left)
        bar = progress.add_task("training", total=len(wanted), completed=done)
        for run in run_all(train, left):
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
