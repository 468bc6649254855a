"""The experiment: every architecture in a process of its own, both ways, and the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from ...pages.words import listing
from ..shared.experiment import Experiment
from ..shared.session import Session
from .apart import Aside
from .findings import Findings, Run
from .page import fill
from .reader import Reader
from .ways import compare, nothing
from .zoo import Architecture, architectures

__all__ = ["EXPERIMENT", "main"]

PACKAGES = ("masksolve", "numpy", "safetensors", "torch", "transformers")
PATTERNS = ("4:8", "2:4,plain")


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes
    ----------
    only : tuple of str
        Types of models; none: all.
    seconds : float
        What a type may take.
    """

    only: tuple[str, ...] = ()
    seconds: float = 120.0


SIZES = {"smoke": Size(("gpt2", "bert")), "full": Size()}


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run what is not finished yet; weights are random, of one seed."""
    settings = {"patterns": list(PATTERNS), "seconds": size.seconds}
    jobs = {
        one.model_type: (one, size.seconds)
        for one in architectures()
        if not size.only or one.model_type in size.only
    }
    runs = session.finish(both, jobs, settings, lambda run: run["model_type"], "comparing")
    found: Findings = session.found(PACKAGES, settings=settings, runs=runs)
    return found


def both(architecture: Architecture, seconds: float) -> Run:
    """Compare both ways of an architecture, in a process that may be ended."""
    run, why = _aside().call(_compare, architecture, seconds=seconds)
    return run or nothing(architecture) | {"why": why}


def _compare(architecture: Architecture) -> Run:
    torch.set_num_threads(1)
    return compare(architecture, PATTERNS)


@cache
def _aside() -> Aside:
    """Return the process that stands beside this one."""
    return Aside()


def wrong(reader: Reader) -> str:
    """Say which types have a no that nothing explains."""
    types = reader.unexplained()
    return f"nothing explains where {listing(types, 12)} differ" if types else ""


EXPERIMENT = Experiment(
    name="models",
    says="Compare the weights that a model's modules and its file choose, by architecture.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
    wrong=wrong,
)

main = EXPERIMENT.main
