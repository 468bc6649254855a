"""The experiment: networks first, then every sampler on each, in processes of one thread."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..experiments.jobs import bars, finish, workers
from ..experiments.kept import Kept
from ..machine import machine, versions
from .networks import Residual
from .records import Findings, Run
from .run import prune, trained
from .sizes import SAMPLERS, Size

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
        Where finished runs are kept; trained networks lie beside it, in a folder.
    console : Console
        For the progress.

    Raises
    ------
    InvalidInput
        If the file holds runs of other settings.
    """
    settings = size.settings()
    kept: Kept[Run] = Kept.open(path, settings)
    folder = path.with_suffix("")
    jobs = {
        (seed, sampler): (folder, size, sampler, seed)
        for seed in range(seeds)
        for sampler in SAMPLERS
    }
    missing = sorted({seed for seed, _ in set(jobs) - {_key(run) for run in kept.runs}})
    with bars(console) as progress, workers(processes) as run_all:
        bar = progress.add_task("training", total=len(missing))
        for _ in run_all(trained, [(folder, size, seed) for seed in missing]):
            progress.advance(bar)
    runs = finish(prune, jobs, kept, _key, processes, console, "pruning")
    return {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "settings": settings,
        "seeds": seeds,
        "parameters": sum(p.numel() for p in Residual(size.width).parameters()),
        "runs": runs,
    }


def _key(run: Run) -> tuple[int, str]:
    return run["seed"], run["sampler"]
