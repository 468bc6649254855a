"""The experiment: every architecture in a process of its own, both ways, and the page."""

from __future__ import annotations

from dataclasses import dataclass

from ..shared.experiment import Experiment
from ..shared.session import Session
from .apart import apart
from .findings import Findings, Run
from .page import fill
from .reader import Reader
from .ways import compare
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
    """Compare both ways of an architecture, in a process of its own."""
    run, why = apart(compare, architecture, PATTERNS, seconds=seconds)
    if run is None:
        run = Run(
            model_type=architecture.model_type,
            kind=architecture.kind,
            class_name=architecture.class_name,
            made="",
            why=why,
            parameters=0,
            experts=False,
            outcomes={},
        )
    return run
