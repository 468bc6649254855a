"""The experiment: every arm for every seed, in processes of one thread."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rich.console import Console

from ..experiments.jobs import bars, workers
from ..experiments.kept import Kept
from ..machine import machine, versions
from .records import Findings, Run
from .run import prune, tokens, weights
from .sizes import Arm, Size
from .texts import library

__all__ = ["experiment"]

PACKAGES = ("masksolve", "numpy", "tokenizers", "torch", "transformers")


def experiment(size: Size, seeds: int, processes: int, path: Path, console: Console) -> Findings:
    """Run what is not finished yet.

    Parameters
    ----------
    size : Size
    seeds : int
    processes : int
    path : Path
        Where finished runs are kept.
    console : Console
        For the progress.

    Raises
    ------
    InvalidInput
        If the file holds runs of other settings, or of other texts: another Python's.
    """
    texts = hashlib.sha256(json.dumps(library()).encode()).hexdigest()[:16]
    settings = {**size.settings(), "texts": texts}
    kept: Kept[Run] = Kept.open(path, settings)
    wanted = [(arm, seed) for arm in size.arms for seed in range(seeds)]
    there = {_job(run) for run in kept.runs}
    left: list[tuple[Size, Arm, tuple[int, ...]]] = []
    for arm in size.arms:
        missing = tuple(seed for seed in range(seeds) if (arm, seed) not in there)
        if arm.by_data:
            left += [(size, arm, (seed,)) for seed in missing]
        elif missing:
            left.append((size, arm, missing))
    with bars(console) as progress, workers(processes) as run_all:
        done = len(wanted) - sum(len(some) for *_, some in left)
        bar = progress.add_task("pruning", total=len(wanted), completed=done)
        for runs in run_all(prune, left):
            for run in runs:
                kept.add(run)
                progress.advance(bar)
    found = {_job(run): run for run in kept.runs}
    return {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "settings": settings,
        "seeds": seeds,
        "modules": len(library()),
        "sentences": sum(len(some) for some in library().values()),
        "tokens": [tokens(size, seed) for seed in range(seeds)],
        "weights": weights(size),
        "runs": [found[job] for job in wanted],
    }


def _job(run: Run) -> tuple[Arm, int]:
    return Arm(run["recovery"], run["pattern"], run["method"]), run["seed"]
