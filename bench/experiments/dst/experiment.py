"""The experiment: every task, arm and seed once, in processes of one thread each."""

from __future__ import annotations

from ..shared.experiment import Experiment
from ..shared.session import Session
from .findings import Findings, Reader, Run
from .page import fill
from .run import train
from .tasks import SIZES, Size

__all__ = ["EXPERIMENT", "main"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run what is not finished yet."""
    settings, seeds = [task.settings() for task in size.tasks], seeds or size.seeds
    jobs = {
        (task.name, arm.label, seed): (task, arm, seed)
        for seed in range(seeds)  # seed by seed: interrupted, all arms stand alike
        for task in reversed(size.tasks)  # the longest first: less waiting at the end
        for arm in task.arms
    }
    runs = session.finish(train, jobs, settings, _key)
    found: Findings = session.found(
        PACKAGES, size=size.name, seeds=seeds, tasks=settings, runs=runs
    )
    return found


def _key(run: Run) -> tuple[str, str, int]:
    return run["task"], run["arm"], run["seed"]


EXPERIMENT = Experiment(
    name="dst",
    says="Train with thresholds over a sweep of alpha, and see what is left.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
)

main = EXPERIMENT.main
