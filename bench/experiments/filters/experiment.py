"""The experiment: networks first, then every sampler on each, in processes of one thread."""

from __future__ import annotations

from ..shared.experiment import Experiment
from ..shared.session import Session
from .findings import Findings, Reader, Run
from .networks import Residual
from .page import fill
from .run import prune, trained
from .sizes import SAMPLERS, SIZES, Size

__all__ = ["EXPERIMENT", "main"]

PACKAGES = ("masksolve", "numpy", "sklearn", "torch")


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run what is not finished yet; trained networks lie beside its file, in a folder."""
    settings, seeds = size.settings(), seeds or size.seeds
    folder = session.kept.with_suffix("")
    jobs = {
        (seed, sampler): (folder, size, sampler, seed)
        for seed in range(seeds)
        for sampler in SAMPLERS
    }
    there = {_key(run) for run in session.open(settings).runs}
    missing = sorted({seed for seed, _ in set(jobs) - there})
    for _ in session.each(trained, [(folder, size, seed) for seed in missing], "training"):
        pass  # it lies in the folder
    runs = session.finish(prune, jobs, settings, _key, "pruning")
    parameters = sum(p.numel() for p in Residual(size.width).parameters())
    found: Findings = session.found(
        PACKAGES, settings=settings, seeds=seeds, parameters=parameters, runs=runs
    )
    return found


def _key(run: Run) -> tuple[int, str]:
    return run["seed"], run["sampler"]


EXPERIMENT = Experiment(
    name="filters",
    says="Prune residual networks by every sampler, and hold errors against bounds.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
)

main = EXPERIMENT.main
