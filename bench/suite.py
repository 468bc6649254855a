"""The whole comparison: who takes part, and every section in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import masksolve as ms

from .cases import CASES, Case
from .contest import Contest, Progress, needs
from .contestants import contestants
from .crew import Crew
from .machine import machine, versions
from .overhead import MODULES, time_training
from .quality import agree, judge_masks
from .registry import Contestant
from .results import FORMAT, CaseRecord, ContestantRecord, Results
from .settings import Settings
from .timing import time_cores, time_patterns, time_sizes

__all__ = ["run"]

PACKAGES = ("masksolve", "numpy", "numba", "ortools", "pyperf", *MODULES)


def run(
    settings: Settings,
    files: Sequence[Path] = (),
    only: Sequence[str] = (),
    progress: Progress = lambda section, share, what: None,
) -> Results:
    """Compare.

    Parameters
    ----------
    settings : Settings
    files : sequence of Path
        Python files with users' contestants.
    only : sequence of str
        Names of contestants, to which the exact method is added, and those of the files
        unless some of them are named; default: all.
    progress : callable

    Raises
    ------
    InvalidInput
        If a file defines no contestant, or a name is not known.
    """
    known = contestants(files)
    for name in only:
        if name not in known:
            raise ms.InvalidInput(f"no contestant {name!r}; there are: {'; '.join(known)}")
    brought = set(known) - set(contestants())
    if not brought.intersection(only):  # who brings a file wants it run
        only = (*only, *brought) if only else ()
    chosen = [c for c in known.values() if not only or c.name in (*only, "exact")]
    cases = [CASES[name] for name in settings.cases or CASES]
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        with Crew(files, settings.limit) as crew:
            contest = Contest(chosen, crew, settings, Path(folder), progress)
            sizes = [t for p in settings.side_patterns for t in time_sizes(contest, p)]
            patterns = [t for p in settings.patterns for t in time_patterns(contest, p)]
            cores = [t for p in settings.side_patterns for t in time_cores(contest, p)]
            training = time_training(contest)
            quality = [q for p in settings.patterns for q in judge_masks(contest, p)]
        with Crew(files, settings.agreement_limit) as crew:
            agreement = agree(Contest(chosen, crew, settings, Path(folder), progress))
    return {
        "format": FORMAT,
        "machine": before,
        "versions": versions([*PACKAGES, *_needed(chosen), *_needed(cases)]),
        "settings": asdict(settings) | {"cases": [case.name for case in cases]},
        "contestants": [_about(contestant) for contestant in chosen],
        "cases": [_about_case(case) for case in cases],
        "timings": sizes + patterns + cores,
        "quality": quality,
        "agreement": agreement,
        "training": training,
    }


def _needed(those: Sequence[Contestant] | Sequence[Case]) -> list[str]:
    return [module for one in those for module in one.needs]


def _about(contestant: Contestant) -> ContestantRecord:
    missing = contestant.missing()
    return {
        "contestant": contestant.name,
        "status": "missing" if missing else "ok",
        "reason": needs(missing),
        "ours": contestant.ours,
        "exact": contestant.exact,
        "takes": contestant.takes,
        "reference": contestant.reference,
        "guarantee": ms.METHODS[contestant.name].guarantee if contestant.ours else "",
        "quirks": contestant.quirks,
    }


def _about_case(case: Case) -> CaseRecord:
    return {
        "case": case.name,
        "description": case.description,
        "status": "missing" if case.missing() else "ok",
        "reason": needs(case.missing()),
    }
