"""The experiment: every task, arm and seed once, in processes of one thread each."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..experiments.jobs import finish
from ..experiments.kept import Kept
from ..machine import machine, versions
from .records import Findings, Run
from .run import train
from .sizes import Size

__all__ = ["experiment"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")


def experiment(size: Size, seeds: int, processes: int, path: Path, console: Console) -> Findings:
    """Run what is not finished yet.

    Parameters
    ----------
    size : Size
    seeds : int
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
    settings = [task.settings() for task in size.tasks]
    kept: Kept[Run] = Kept.open(path, settings)
    jobs = {
        (task.name, arm.label, seed): (task, arm, seed)
        for seed in range(seeds)  # seed by seed: interrupted, all arms stand alike
        for task in reversed(size.tasks)  # the longest first: less waiting at the end
        for arm in task.arms
    }
    runs = finish(train, jobs, kept, _key, processes, console)
    return {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "size": size.name,
        "seeds": seeds,
        "tasks": settings,
        "runs": runs,
    }


def _key(run: Run) -> tuple[str, str, int]:
    return run["task"], run["arm"], run["seed"]
