"""The experiment: every task, arm and seed once, in processes of one thread each."""

from __future__ import annotations

from ...step_cost import tables as step_cost
from ..shared.experiment import Experiment
from ..shared.session import Session
from .findings import Findings, Reader, Run
from .page import fill
from .run import train
from .sizes import SIZES, Size

__all__ = ["EXPERIMENT", "main"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run what is not finished yet."""
    size = size.of_seeds(seeds) if seeds else size
    jobs = {
        (task.name, arm.label, seed): (task, arm, seed)
        # Seed by seed: interrupted, all arms stand alike.
        for seed in range(max(task.seeds for task in size.tasks))
        for task in reversed(size.tasks)  # the longest first: less waiting at the end
        for arm in size.arms
        if seed < task.seeds
    }
    runs = session.finish(train, jobs, size.settings(), _key)
    tasks = [task.to_dict() for task in size.tasks]
    found: Findings = session.found(PACKAGES, size=size.name, tasks=tasks, runs=runs)
    return found


def _key(run: Run) -> tuple[str, str, int]:
    return run["task"], run["arm"], run["seed"]


EXPERIMENT = Experiment(
    name="training",
    says="Train with masks of every kind, and see what exactness and frequency buy.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
    files={"step": ("figures of step_cost, for the page", step_cost.read)},
)

main = EXPERIMENT.main
